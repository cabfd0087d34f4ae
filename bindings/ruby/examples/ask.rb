# frozen_string_literal: true

# Sends one prompt to an MLflow AI gateway and prints the completion.

require_relative "program"

description = "Send a prompt to an MLflow AI gateway and print the completion.\nPROMPT may be -, to read it " \
              "from standard input."
options, prompts = Program.options("PROMPT", description, route: "completions", params: {}) do |parser, values|
  params = values[:params]
  parser.on("-t", "--temperature NUMBER", Float, "sampling temperature, such as 0.7") { |t| params[:temperature] = t }
  parser.on("-m", "--max-tokens NUMBER", Integer, "maximum length of the completion") { |m| params[:max_tokens] = m }
  parser.on("-s", "--stop TEXT", "stop sequence; may be repeated") { |stop| (params[:stop] ||= []) << stop }
end
Program.usage(prompts.empty? ? "no prompt given" : "more than one prompt given; put it in quotes") if prompts.size != 1

prompt = prompts.first == "-" ? $stdin.read : prompts.first
Program.run do
  client = MlflowGateway::Client.new(route: options[:route], uri: options[:uri], params: options[:params])
  puts client.complete(prompt).text!
end
