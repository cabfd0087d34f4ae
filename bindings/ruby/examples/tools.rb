# frozen_string_literal: true

# Lets a model call a function of this program, until its response has no tool calls.

require_relative "program"

MAX_ROUNDS = 8
TEMPERATURES = { "Paris" => 18.5, "Oslo" => 9.0, "Cairo" => 31.0 }.freeze
TOOLS = [{ type: "function", function: {
  name: "get_temperature", description: "Returns the temperature of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
} }].freeze

# Returns what the tool returns. Models may write arguments that are not valid JSON.
def run_tool(call)
  return "There is no such tool." unless call.name == "get_temperature"

  city = call.parse.then { |arguments| arguments["city"] if arguments.is_a?(Hash) }
  return 'The arguments must be JSON with a string "city".' unless city.is_a?(String)
  return "The temperature in this city is not known." unless TEMPERATURES.key?(city)

  "In #{city} it is #{TEMPERATURES[city]} degrees Celsius."
rescue JSON::ParserError
  'The arguments must be JSON with a string "city".'
end

description = "Send a prompt to a model that may call a tool, and print its final response."
options, prompts = Program.options("PROMPT", description, route: "chat") do |parser, values|
  parser.on("-v", "--verbose", "print tool calls to standard error") { values[:verbose] = true }
end
Program.usage(prompts.empty? ? "no prompt given" : "more than one prompt given; put it in quotes") if prompts.size != 1

Program.run do
  client = MlflowGateway::Client.new(route: options[:route], uri: options[:uri])
  messages = [prompts.first]
  response = client.chat(messages, tools: TOOLS)
  MAX_ROUNDS.times do
    break if response.tool_calls.empty?

    results = response.tool_calls.map do |call|
      result = run_tool(call)
      warn("#{call.name}(#{call.arguments}): #{result}") if options[:verbose]
      call.result(result)
    end
    messages.push(response, *results)
    response = client.chat(messages, tools: TOOLS)
  end
  puts response.text!
end
