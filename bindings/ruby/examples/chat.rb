# frozen_string_literal: true

# Chats with a model behind an MLflow AI gateway. Responses are streamed. Ctrl-C cancels a response; at the prompt it
# ends the program.

require_relative "program"

description = "Chat with a model behind an MLflow AI gateway. Each line of standard input is a\nmessage."
options, others = Program.options("", description, route: "chat", params: {}) do |parser, values|
  params = values[:params]
  parser.on("-y", "--system TEXT", 'system message, for example "Be concise."') { |text| values[:system] = text }
  parser.on("-t", "--temperature NUMBER", Float, "sampling temperature, such as 0.7") { |t| params[:temperature] = t }
  parser.on("-m", "--max-tokens NUMBER", Integer, "maximum length of a response") { |m| params[:max_tokens] = m }
  parser.on("--attach FILE", "attach an image or a recording to the first message") { |file| values[:attach] = file }
  parser.on("-v", "--verbose", "print token counts to standard error") { values[:verbose] = true }
end
Program.usage("no arguments are expected") unless others.empty?

# A conversation. A message that failed does not become a part of it.
class Chat
  def initialize(client, system, attachment, is_verbose)
    @client = client
    @messages = system ? [{ role: "system", content: system }] : []
    @attachment = attachment
    @is_verbose = is_verbose
  end

  def exchange(line)
    message = @attachment ? { role: "user", content: [line, @attachment] } : line
    response = print_response([*@messages, message]) or return
    @messages.push(message, response)
    @attachment = nil
    warn("tokens: #{response.tokens.to_h.compact}") if @is_verbose
  end

  private

  # Returns nil if it was cancelled.
  def print_response(messages)
    text = +""
    @client.stream(messages) do |event|
      text << event.to_s
      print event
    end
  rescue Interrupt
    nil
  ensure
    puts unless text.empty?
  end
end

$stdout.sync = true
status = 0
Program.run do
  client = MlflowGateway::Client.new(route: options[:route], uri: options[:uri], params: options[:params])
  attachment = MlflowGateway::Media.file(options[:attach]) if options[:attach]
  chat = Chat.new(client, options[:system], attachment, options[:verbose])
  while (line = $stdin.gets(chomp: true))
    begin
      chat.exchange(line) unless line.empty?
    rescue MlflowGateway::Error => e
      warn("chat: #{e.message}")
      status = Program.status(e)
    end
  end
rescue Interrupt
  puts
end
exit(status)
