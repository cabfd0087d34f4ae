# This library, through its Ruby binding.
#
# usage: bench_ruby_ours.rb URL CALLS

require "mlflow_gateway"

WARM_UP = 100
PROMPT = "The capital of Finland is"
TEXT = " Helsinki, a city of about 690,000 people now."

def call(client)
  text = client.complete(PROMPT).text
  raise "wrong response: #{text}" unless text == TEXT
end

client = MlflowGateway::Client.new(route: "completions", uri: ARGV[0], params: { max_tokens: 8, temperature: 0.0 })
calls = Integer(ARGV[1])
WARM_UP.times { call(client) }
start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
calls.times { call(client) }
seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
puts JSON.generate(seconds: seconds, calls: calls)
