# frozen_string_literal: true

# Performs operations that tests/test_ruby.py passes, one JSON object on each line, and prints their results alike.

require "json"
require "mlflow_gateway"

THREADS = 24
PROMPTS = { "long" => "x" * 8_000_000, "short" => "hi" }.freeze

def perform(client, operation, prompt, path)
  case operation
  when "call" then client.complete(prompt).text
  when "stream" then client.stream([prompt]) { nil }.text
  when "embed" then client.embed(prompt).to_a
  when "list" then client.routes.map(&:name)
  when "raw" then client.raw(path, body: { prompt: prompt }).body && nil
  end
end

def result(uri:, route:, options:, operation:, prompt:, path:)
  client = MlflowGateway::Client.new(route: route, uri: uri, max_retries: 0, **options)
  { status: "OK", message: "", value: perform(client, operation, PROMPTS.fetch(prompt), path) }
rescue MlflowGateway::Error => e
  { status: e.class.name, message: e.message, gathered: e.response&.text }
ensure
  client&.close
end

work = Queue.new
results = $stdin.each_line.with_index.to_a.each { |line| work << line }.map { nil }
work.close
threads = Array.new(THREADS) do
  Thread.new do
    while (line, number = work.pop)
      results[number] = result(**JSON.parse(line, symbolize_names: true))
    end
  end
end
threads.each(&:join)
results.each { |one| puts JSON.generate(one) }
