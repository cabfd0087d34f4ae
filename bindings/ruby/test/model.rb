# frozen_string_literal: true

require "minitest/autorun"
require "timeout"
require "mlflow_gateway"

# A real language model behind a real gateway. tests/test_ruby.py passes its URL.
class ModelTest < Minitest::Test
  OPTIONS = { temperature: 0, max_tokens: 8 }.freeze

  def client
    MlflowGateway::Client.new(route: "chat", uri: ENV.fetch("GATEWAY_URL"))
  end

  def test_model_completes_and_streams_the_same_text
    prompt = "What is the capital of France?"
    text = client.chat(prompt, **OPTIONS).text!
    assert_operator text.size, :>, 8
    assert_equal text, client.stream([prompt], **OPTIONS).map(&:to_s).join
  end

  def test_interrupted_stream_ends_at_once
    texts = Queue.new
    thread = Thread.new { client.stream("Count to 1000.", max_tokens: 200) { |event| texts << event.text } }
    thread.report_on_exception = false
    3.times { texts.pop }
    thread.raise(Timeout::Error)
    assert_raises(Timeout::Error) { thread.value }
    assert_includes %w[stop length], client.chat("Say yes.", temperature: 0, max_tokens: 50).finish_reason
  end
end
