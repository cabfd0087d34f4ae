# Ruby's net/http: one connection, which Net::HTTP.start keeps open.
#
# usage: bench_ruby.rb URL CALLS

require "json"
require "net/http"

WARM_UP = 100
PATH = "/endpoints/completions/invocations"
HEADERS = { "Content-Type" => "application/json", "Accept" => "application/json" }.freeze
BODY = '{"prompt":"The capital of Finland is","max_tokens":8,"temperature":0.0}'
TEXT = " Helsinki, a city of about 690,000 people now."

def call(http)
  response = http.post(PATH, BODY, HEADERS)
  text = JSON.parse(response.body)["choices"][0]["text"]
  raise "wrong response: #{response.body}" unless response.code == "200" && text == TEXT
end

uri = URI(ARGV[0])
calls = Integer(ARGV[1])
Net::HTTP.start(uri.host, uri.port, read_timeout: 300) do |http|
  WARM_UP.times { call(http) }
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  calls.times { call(http) }
  seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
  puts JSON.generate(seconds: seconds, calls: calls)
end
