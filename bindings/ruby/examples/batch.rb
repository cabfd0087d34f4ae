# frozen_string_literal: true

# Sends each line of standard input as a prompt, many at once, and prints a line of JSON for each response as it ends.

require_relative "program"

description = "Send each line of standard input as a prompt, many at once. Prints a line of\nJSON for each: " \
              '{"line": N, "text": ...} or {"line": N, "error": ...}.'
defaults = { route: "completions", params: {}, queue: { max_in_flight: 8 } }
options, others = Program.options("", description, **defaults) do |parser, values|
  parser.on("-n", "--in-flight NUMBER", Integer, "requests at once (8)") { |n| values[:queue][:max_in_flight] = n }
  parser.on("--rps NUMBER", Float, "requests per second") { |rps| values[:queue][:requests_per_second] = rps }
  parser.on("-m", "--max-tokens NUMBER", Integer, "maximum length of each") { |m| values[:params][:max_tokens] = m }
end
Program.usage("no arguments are expected") unless others.empty?

failed = nil
print_result = lambda do |completion|
  error = completion.error
  failed ||= error
  puts JSON.generate({ line: completion.tag, text: completion.response&.text, error: error&.message }.compact)
end

Program.run do
  client = MlflowGateway::Client.new(route: options[:route], uri: options[:uri], params: options[:params])
  client.queue(**options[:queue]) do |queue|
    $stdin.each_line(chomp: true).with_index(1) do |prompt, line|
      # A full queue accepts the prompt after a response was fetched.
      print_result.call(queue.next) until queue.submit(prompt: prompt, tag: line, exception: false)
    end
    queue.close
    queue.each(&print_result)
  end
end
exit(Program.status(failed)) if failed
