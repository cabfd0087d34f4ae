# frozen_string_literal: true

require_relative "helper"

# Errors have a class for each status, and the details of the response.
class ErrorsTest < Minitest::Test
  include Helper

  def test_error_has_the_details_of_the_response
    error = assert_raises(MlflowGateway::ServerError) { client.complete("503 now") }
    assert_kind_of MlflowGateway::RefusedError, error
    assert_equal [47, "MLFLOW_GATEWAY_SERVER_ERROR", 503, 1, []],
                 [error.status, error.status_name, error.http_status, error.attempts, error.retry_reasons]
    assert_equal '{"detail": "busy"}', error.body
    assert_predicate error, :retryable?
    assert_equal "18", error.header("Content-Length")
    assert_match(%r{\APOST http://.*: HTTP status 503: busy}, error.message)
    assert_nil error.response
  end

  def test_rate_limit_says_when_to_retry
    client = client(retry_max_backoff_ms: 1)
    errors = Array.new(2) do
      client.complete("once 429")
      nil
    rescue MlflowGateway::Error => e
      e
    end.compact
    assert_equal([MlflowGateway::RateLimitedError], errors.map(&:class))
    assert_in_delta 1.0, errors.first.retry_after
  end

  # A queue waits after a 429; calls of a client do not.
  def test_call_after_a_rate_limit_does_not_wait
    client = client()
    took = seconds { 6.times { client.complete("once 429") rescue nil } } # rubocop:disable Style/RescueModifier
    assert_operator took, :<, 2.5
  end

  def test_call_after_a_retried_rate_limit_does_not_wait
    client = MlflowGateway::Client.new(route: "r", uri: COMMANDED, max_retries: 1)
    at_once = Array.new(3).any? do
      2.times { assert_equal "once 429", client.complete("once 429").text }
      seconds { client.complete("hi") } < 0.5
    end
    assert at_once
  end

  def test_unknown_route_has_the_code_of_the_gateway
    error = assert_raises(MlflowGateway::NotFoundError) { client(route: "none").complete("x") }
    assert_equal "RESOURCE_DOES_NOT_EXIST", error.gateway_code
    refute_predicate error, :retryable?
  end

  def test_error_without_a_response_has_none
    error = assert_raises(MlflowGateway::TimeoutError) { client(uri: UNREACHABLE, timeout_ms: 50).complete("x") }
    assert_kind_of MlflowGateway::TransportError, error
    assert_nil error.http_status
    assert_nil error.body
    assert_nil error.retry_after
    assert_nil error.gateway_code
  end

  def test_cut_stream_is_an_error_with_what_had_come
    events = []
    error = assert_raises(MlflowGateway::StreamTruncatedError) do
      client(uri: MODEL, route: "chat").stream("broken stream") { |event| events << event }
    end
    assert_equal "echo: broken stream", error.response.text
    assert_equal error.response.text, events.join
    stream = client(uri: MODEL, route: "chat").stream("broken stream")
    assert_raises(MlflowGateway::StreamTruncatedError) { loop { stream.next } }
  end

  def test_errors_are_marshalled
    error = assert_raises(MlflowGateway::ServerError) { client.complete("503 now") }
    copy = Marshal.load(Marshal.dump(error))
    assert_instance_of MlflowGateway::ServerError, copy
    names = %i[message backtrace status http_status gateway_code retry_after attempts retry_reasons retryable? body]
    names.each { |name| assert_equal [name, error.public_send(name)], [name, copy.public_send(name)] }
    assert_nil copy.header("Content-Length")
  end

  def test_subclass_has_the_status_of_its_class
    assert_equal "MLFLOW_GATEWAY_SERVER_ERROR", Class.new(MlflowGateway::ServerError).new("x").status_name
    assert_equal 0, MlflowGateway::RefusedError.new.status
    assert_equal 1, MlflowGateway::ClosedError.new.status
  end

  def test_rescued_error_of_a_lookup_ends_no_other_thread
    client = client()
    Thread.abort_on_exception = true
    assert_raises(MlflowGateway::NotFoundError) { client.route("none") }
  ensure
    Thread.abort_on_exception = false
  end

  def test_exception_of_a_block_ends_the_stream
    client = client(route: "chat")
    assert_raises(ZeroDivisionError) { client.stream("half of this") { 1 / 0 } }
    assert_equal("half", client.stream("half and") { |event| break event.text }[0, 4])
    assert_equal "hi", client.stream("hi").map(&:to_s).join
  end

  def test_every_status_of_the_header_has_its_class
    header = File.read(File.expand_path("../../../include/mlflow_ai_gateway.h", __dir__))
    statuses = header.scan(/^#define MLFLOW_GATEWAY_(\w+) (\d+)$/)
    first, last = %w[INVALID_ARGUMENT INTERNAL].map { |name| statuses.index { |status, _| status == name } }
    errors = statuses[first..last].to_h.transform_values { |number| Integer(number) }
    assert_equal 33, errors.size
    errors.each do |name, number|
      type = MlflowGateway::Error.of_status(number)
      written = name.split("_").map { |word| %w[HTTP TLS URI].include?(word) ? word : word.capitalize }.join
      expected = "MlflowGateway::#{written.delete_suffix('Error')}Error"
      assert_equal expected, type.name
      assert_equal number, type.new("x").status
    end
    assert_equal MlflowGateway::RefusedError, MlflowGateway::Error.of_status(59)
    assert_equal MlflowGateway::Error, MlflowGateway::Error.of_status(7777)
  end

  def test_closed_objects_are_errors_and_do_not_crash
    client = client()
    queue = client.queue
    stream = client.stream("x")
    client.close
    client.close
    [-> { client.complete("x") }, -> { client.routes }, -> { client.queue }, -> { client.identifying_params },
     -> { stream.next }].each { |use| assert_raises(MlflowGateway::ClosedError, &use) }
    assert_equal "#<MlflowGateway::Client closed>", client.inspect
    queue.submit(prompt: "still")
    assert_equal "still", queue.next.value.text
    queue.abort
    queue.abort
    [-> { queue.submit(prompt: "x") }, -> { queue.next }, -> { queue.close }, -> { queue.cancel(1) },
     -> { queue.waiting }, -> { queue.to_a }].each { |use| assert_raises(MlflowGateway::ClosedError, &use) }
  end

  def test_client_is_closed_while_calls_run
    client = client()
    threads = Array.new(8) { Thread.new { client.complete("later x").text } }
    threads.each { |thread| thread.report_on_exception = false }
    sleep 0.005
    client.close
    threads.each do |thread|
      assert_equal "later x", thread.value
    rescue MlflowGateway::ClosedError
      next
    end
  end
end
