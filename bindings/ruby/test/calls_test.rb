# frozen_string_literal: true

require "logger"
require "stringio"
require "uri"
require_relative "helper"

# Requests are sent as they were given, and responses are read as they came.
class CallsTest < Minitest::Test
  include Helper

  def echoed(response)
    JSON.parse(response.text)
  end

  def test_prompt_gets_its_response
    response = client.complete("Héllo \u{1F600} \0 world")
    assert_equal "Héllo \u{1F600} \0 world", response.text
    assert_equal Encoding::UTF_8, response.text.encoding
    assert_equal [200, 1, []], [response.http_status, response.attempts, response.retry_reasons]
    assert_equal response.text, JSON.parse(response.body)["choices"][0]["text"]
    assert_equal response.body.bytesize.to_s, response.header("content-length")
    assert_nil response.header("x-none")
    assert_operator response.times.total, :>, 0
    assert_nil response.times.first_text
  end

  def test_results_are_frozen
    response = client.complete("hi")
    results = [response, response.text, response.body, response.tokens, response.times, response.candidates,
               response.candidates.first, response.tool_calls, response.retry_reasons]
    embeddings = client(route: "embeddings").embed("hi")
    results += [embeddings, embeddings.data, embeddings.tokens, embeddings[0]]
    client(route: "chat").stream("hi") { |event| results.push(event, event.text, event.raw_data) }
    routes = client.routes
    results += [routes, routes[0], routes[0].name]
    assert_empty results.reject(&:frozen?)
  end

  def test_parameters_have_the_types_of_their_values
    client = client(route: "r", uri: ECHO, params: { max_tokens: 8, user: "me", top_p: 0.5 })
    body = echoed(client.complete("p", temperature: 0.25, logprobs: true, stop: %w[a b], user: nil, n: 1,
                                       response_format: { type: "json_object" }, effort: :low))["body"]
    expected = { "max_tokens" => 8, "top_p" => 0.5, "temperature" => 0.25, "logprobs" => true, "stop" => %w[a b],
                 "n" => 1, "response_format" => { "type" => "json_object" }, "effort" => "low" }
    assert_equal expected, body.except("messages", "prompt")
  end

  def test_other_numbers_are_numbers
    client = client(uri: ECHO, params: { top_p: 1/2r, user: nil })
    body = echoed(client.complete("p", temperature: 1/4r, seed: 2**70))["body"]
    assert_equal [0.5, 0.25, 2**70], body.values_at("top_p", "temperature", "seed")
    refute_includes body, "user"
  end

  def test_names_may_be_strings_or_symbols
    client = client(uri: ECHO, params: { "user" => "me" }, headers: { "X-One": "1" })
    echo = echoed(client.complete("p", options: { "timeout_ms" => 9000 }, headers: { X_Two: "2" }, **{ "n" => 1 }))
    assert_equal ["me", 1], echo["body"].values_at("user", "n")
    assert_equal %w[1 2], echo["headers"].values_at("x-one", "x_two")
  end

  def test_headers_options_and_routes_of_a_call_replace_those_of_the_client
    client = client(uri: ECHO, headers: { "X-One" => "1", "X-Two" => "2" })
    headers = echoed(client.complete("p", headers: { "X-Two" => "3" }))["headers"]
    assert_equal %w[1 3], headers.values_at("x-one", "x-two")
    error = assert_raises(MlflowGateway::TimeoutError) do
      client(route: "r").complete("stall", options: { timeout_ms: 50 })
    end
    assert_includes error.message, "timeout_ms"
    without_route = MlflowGateway::Client.new(uri: URI(COMMANDED), timeout_ms: nil, headers: { "X" => nil })
    options = { timeout_ms: nil, max_retries: 1.0 }
    assert_equal "hi", without_route.complete("hi", route: "r", options: options, headers: { "X" => nil }).text
  end

  def test_messages_are_sent_as_they_were_given
    messages = ["one", { role: "system", content: "two" }, { "role" => "assistant", "content" => "three" },
                { role: :tool, tool_call_id: "x", content: "four" }, { role: "user", content: "five", name: "me" },
                { role: "user", content: [{ type: "text", text: "six" }] }]
    sent = echoed(client(uri: ECHO).chat(messages))["body"]["messages"]
    assert_equal [
      { "role" => "user", "content" => "one" }, { "role" => "system", "content" => "two" },
      { "role" => "assistant", "content" => "three" },
      { "role" => "tool", "tool_call_id" => "x", "content" => "four" },
      { "role" => "user", "content" => "five", "name" => "me" },
      { "role" => "user", "content" => [{ "type" => "text", "text" => "six" }] }
    ], sent
  end

  def test_pictures_and_recordings_are_parts_of_a_message
    image = MlflowGateway::Media.new("image/png", "\x89PNG\xFF\0")
    audio = MlflowGateway::Media.new("audio/wav", "RIFF")
    content = ["What is this?", image, "And this?", audio]
    sent = echoed(client(uri: ECHO).chat([{ role: "user", content: content }]))["body"]["messages"][0]["content"]
    assert_equal %w[text image_url text input_audio], (sent.map { |part| part["type"] })
    assert_equal "data:image/png;base64,#{["\x89PNG\xFF\0".b].pack('m0')}", sent[1]["image_url"]["url"]
    [image, { role: "user", content: image }].each do |message|
      first = echoed(client(uri: ECHO).chat([message]))["body"]["messages"][0]["content"]
      assert_equal %w[image_url], (first.map { |part| part["type"] })
    end
    error = assert_raises(TypeError) { client.chat([{ role: "user", name: "me", content: ["x", image] }]) }
    assert_includes error.message, "must be the content of a message of the user"
    assert_raises(MlflowGateway::InvalidArgumentError) { MlflowGateway::Media.file("a.txt") }
  end

  def test_strings_of_other_encodings_are_converted
    assert_equal "é", client.complete("é".encode("ISO-8859-1")).text
    error = assert_raises(MlflowGateway::InvalidArgumentError) { client.complete("\xFF") }
    assert_includes error.message, "UTF-8"
  end

  def test_values_of_wrong_types_are_errors
    assert_raises(TypeError) { client.complete(1) }
    assert_raises(TypeError) { client.chat([1]) }
    assert_raises(TypeError) { client.embed([nil]) }
  end

  def test_conversation_continues_with_a_response
    client = client(uri: MODEL, route: "chat")
    first = client.chat("one")
    last = client.chat(["one", first, "two"])
    assert_equal ["echo: one", "echo: two"], [first.text, last.text]
    assert_equal %w[role content], JSON.parse(first.message_json).keys & %w[role content]
  end

  def test_tool_calls_are_run
    tool = { type: "function", function: { name: "get_temperature", parameters: { type: "object", properties: {
      city: { type: "string" }
    } } } }
    client = client(uri: MODEL, route: "chat")
    response = client.chat("!tools", tools: [tool])
    assert_nil response.text
    assert_raises(MlflowGateway::NoTextError) { response.text! }
    calls = response.tool_calls
    assert_equal([%w[get_temperature Paris], %w[get_temperature Oslo]], calls.map { |c| [c.name, c.parse["city"]] })
    results = calls.map { |call| call.result("#{call.parse['city']}: cold") }
    assert_equal "echo: Oslo: cold", client.chat(["!tools", response, *results], tools: [tool]).text!
    streamed = client.stream(["!tools"], tools: [tool]).select { |event| event.kind == :tool_call }
    assert_equal %w[call_0_0 call_0_1], streamed.map(&:tool_call_id).uniq
    assert_equal [0, 1], streamed.map(&:tool_call_index).uniq
  end

  def test_candidates_are_alternatives
    response = client(uri: MODEL, route: "chat").chat("x", n: 2)
    assert_equal ["echo: x", "echo: x #1"], response.candidates.map(&:text)
    assert_equal %w[stop stop], response.candidates.map(&:finish_reason)
    assert_equal %w[assistant assistant], response.candidates.map(&:role)
    assert_equal [1, 5], response.tokens.to_a.first(2)
  end

  def test_stream_yields_events_and_returns_what_was_gathered
    client = client(route: "chat")
    events = []
    response = client.stream("hello world") { |event| events << event }
    assert_equal [[:text, "hello"], [:text, " world"], [:finish, "stop"]], (events.map { |e| [e.kind, e.text] })
    assert_equal ["hello world", "stop", "hello world"], [response.text, response.finish_reason, events.join]
    assert_equal "hello", JSON.parse(events[0].raw_data)["choices"][0]["delta"]["content"]
    assert_operator response.times.first_text, :>, 0
  end

  def test_stream_without_a_block_is_an_enumerator
    stream = client(route: "chat").stream("hello world")
    assert_equal "hello world", stream.map(&:to_s).join
    assert_equal "hello", stream.next.text
    assert_equal " world", stream.next.text
    assert_equal "stop", stream.next.text
    assert_equal "hello world", assert_raises(StopIteration) { stream.next }.result.text
    assert_equal ["hello"], stream.lazy.map(&:text).first(1)
  end

  def test_block_may_use_enumerators_that_end
    texts = client(route: "chat").stream("hello world") { [].each.next }
    flunk "#{texts.inspect} instead of the exception of the block"
  rescue StopIteration => e
    assert_equal [], e.result
  end

  def test_embeddings_are_in_input_order
    embeddings = client(route: "embeddings").embed(%w[a b c], options: { embed_batch_size: 2 })
    assert_equal [3, 2, [[1.0, 2.0]] * 3], [embeddings.size, embeddings.dimension, embeddings.to_a]
    assert_equal [1.0, 2.0] * 3, embeddings.data.unpack("f*")
    assert_equal [nil, [1.0, 2.0], nil], [embeddings[3], embeddings[-3], embeddings[-4]]
    assert_equal "#<MlflowGateway::Embeddings size=3 dimension=2 model=nil>", embeddings.inspect
  end

  def test_routes_and_health_are_looked_up
    client = client()
    assert_equal [%w[r llm/v1/completions], %w[chat llm/v1/chat], %w[embeddings llm/v1/embeddings]],
                 (client.routes.map { |route| [route.name, route.type] })
    assert_equal "r", client.route.name
    assert_equal "chat", client.route("chat").name
    assert_equal "chat", JSON.parse(client.route("chat").json)["name"]
    assert client.health
    assert_raises(MlflowGateway::NotFoundError) { client.route("none") }
    assert_raises(MlflowGateway::UnsupportedError) { client.create_route({ name: "x" }) }
    assert_raises(MlflowGateway::UnsupportedError) { client.delete_route("x") }
  end

  def test_lookups_leave_nothing
    client = client()
    client.routes
    GC.disable
    before = descriptors
    20.times { client.route }
    assert_equal before, descriptors
  ensure
    GC.enable
  end

  def test_raw_requests_are_sent_byte_for_byte
    client = client()
    response = client.raw("/endpoints/r/invocations", body: '{"prompt":  "x"}')
    assert_equal '{"choices": [{"text": "x"}]}', response.body
    assert_equal "OK", JSON.parse(client.raw("/health").body)["status"]
    assert_equal '{"choices": [{"text": "y"}]}', client.raw("/endpoints/r/invocations", body: { prompt: "y" }).body
    assert_raises(MlflowGateway::NotFoundError) { client.raw("/none", method: :delete) }
    events = []
    client.raw("/endpoints/chat/invocations", body: { prompt: "a b", stream: true }) { |event| events << event }
    assert_equal [:other], events.map(&:kind).uniq
    assert_equal "a", JSON.parse(events[0].raw_data)["choices"][0]["delta"]["content"]
  end

  def test_lookups_use_the_environment_of_the_client
    ENV["MLFLOW_GATEWAY_URI"] = COMMANDED
    client = MlflowGateway::Client.new(route: "r")
    ENV.delete("MLFLOW_GATEWAY_URI")
    assert_equal "r", client.route.name
    assert_equal "x", client.complete("x").text
  ensure
    ENV.delete("MLFLOW_GATEWAY_URI")
  end

  def test_streams_and_queues_describe_themselves_briefly
    client = client(route: "chat")
    refute_includes client.stream("x", headers: { "Authorization" => "Bearer secret" }).inspect, "secret"
    client.queue { |queue| assert_equal "#<MlflowGateway::Queue>", queue.inspect }
  end

  def test_client_describes_itself_without_credentials
    client = client(params: { max_tokens: 1 }, bearer_token: "secret")
    assert_equal({ "gateway_uri" => COMMANDED, "route" => "r", "max_tokens" => 1 }, client.identifying_params)
    refute_includes client.inspect, "secret"
    assert_includes client.inspect, COMMANDED
  end

  def test_log_lines_go_to_the_logger_on_the_thread_of_the_call
    lines = StringIO.new
    logger = Logger.new(lines, level: Logger::INFO)
    logged_on = []
    logger.formatter = lambda do |severity, _, _, line|
      logged_on << Thread.current
      "#{severity} #{line}\n"
    end
    client = client(logger: logger)
    client.complete("hi")
    assert_raises(MlflowGateway::ServerError) { client.complete("503") }
    assert_match(%r{\AINFO POST .*/endpoints/r/invocations.* 200.*\nERROR POST .*503.*\n\z}, lines.string)
    assert_equal [Thread.current], logged_on.uniq
    client.routes
    assert_equal 2, lines.string.lines.size, "the level is INFO"
  end

  def test_failing_logger_does_not_end_a_call
    logger = Logger.new(nil, level: Logger::DEBUG)
    def logger.info(*) = raise("no space")
    text = nil
    assert_output(nil, /the logger failed: no space/) { text = client(logger: logger).complete("hi").text }
    assert_equal "hi", text
  end

  def test_unknown_options_are_errors
    error = assert_raises(MlflowGateway::UnknownOptionError) { client(timeout: 1) }
    assert_includes error.message, "timeout"
    assert_raises(MlflowGateway::InvalidOptionValueError) { client(timeout_ms: "x") }
    assert_raises(MlflowGateway::InvalidParamError) { client(params: { stream: true }) }
    assert_raises(MlflowGateway::InvalidURIError) { MlflowGateway::Client.new(uri: "ftp://x") }
    assert_raises(MlflowGateway::NoGatewayURIError) { MlflowGateway::Client.new(route: "x") }
  end
end
