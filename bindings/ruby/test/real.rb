# frozen_string_literal: true

require "minitest/autorun"
require "timeout"
require "mlflow_gateway"

# Everything with a real gateway. tests/test_ruby.py starts it and passes its URL, and what it supports.
class RealTest < Minitest::Test
  URI = ENV.fetch("GATEWAY_URL")
  FEATURES = ENV.fetch("FEATURES").split(",")

  def client(route, **options)
    MlflowGateway::Client.new(route: route, uri: URI, max_retries: 0, **options)
  end

  def supports?(feature)
    FEATURES.include?(feature)
  end

  def test_prompt_and_messages
    assert_equal "echo: hi", client("completions").complete("hi", max_tokens: 5).text! if supports?("completions")
    response = client("chat").chat([{ role: "system", content: "Be brief." }, "hi"])
    assert_equal ["echo: hi", "stop"], [response.text!, response.finish_reason]
    assert_equal "echo: two", client("chat").chat(["hi", response, "two"]).text!
    assert_operator response.tokens.output, :>, 0
  end

  def test_stream
    stream = client("chat").stream("one two three")
    if supports?("streams")
      assert_equal "echo: one two three", stream.map(&:to_s).join
      assert_operator stream.count(&:text?), :>, 2
    else
      assert_raises(MlflowGateway::UnsupportedError) { stream.next }
    end
  end

  def test_tools
    return unless supports?("tools")

    tool = { type: "function", function: { name: "t", parameters: { type: "object", properties: {
      city: { type: "string" }
    } } } }
    response = client("chat").chat("!tools", tools: [tool])
    assert_equal(%w[Paris Oslo], response.tool_calls.map { |call| call.parse["city"] })
    results = response.tool_calls.map { |call| call.result("It is cold.") }
    assert_equal "echo: It is cold.", client("chat").chat(["!tools", response, *results], tools: [tool]).text!
  end

  def test_embeddings
    embeddings = client("embeddings").embed(["a cat", "a dog", "a cat"])
    assert_equal 3, embeddings.size
    assert_equal embeddings[0], embeddings[2]
    refute_equal embeddings[0], embeddings[1]
    meanings = client("e5").embed(["A cat sleeps.", "A kitten is asleep.", "The stock market fell."]).to_a
    near, far = meanings.drop(1).map { |other| meanings[0].zip(other).sum { |a, b| a * b } }
    assert_operator near, :>, far
  end

  def test_routes_and_errors
    routes = client("chat").routes
    assert_includes routes.map(&:name), "chat"
    assert_equal "chat", client("chat").route.name
    assert client("chat").health
    error = assert_raises(MlflowGateway::NotFoundError) { client("none").chat("hi") }
    assert_includes error.message, "chat"
  end

  def test_queue
    client("chat").queue(max_in_flight: 4) do |queue|
      20.times { |at| queue.submit(messages: ["p #{at}"], tag: at) }
      queue.close
      assert_equal((0...20).to_h { |at| [at, "echo: p #{at}"] }, queue.to_h { |one| [one.tag, one.value.text] })
    end
  end
end
