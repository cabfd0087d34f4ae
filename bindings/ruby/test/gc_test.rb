# frozen_string_literal: true

require_relative "helper"

# The garbage collector runs at every allocation, and may destroy whatever nothing refers to.
class GCTest < Minitest::Test
  include Helper

  # Whether each run marks all objects, or, five times as fast, only those that are new.
  STRESS = { "all" => true, "new objects" => 1 }.fetch(ENV.fetch("GC_STRESS"))

  def with(setting, value)
    before = GC.public_send(setting)
    GC.public_send("#{setting}=", value)
    yield
  ensure
    GC.public_send("#{setting}=", before)
  end

  # Calls of each kind.
  def check_calls
    plain = client
    chat = client(route: "chat")
    yield(lambda do
      assert_equal "hi", plain.complete("hi", max_tokens: 3).text
      assert_equal "hello world", chat.stream("hello world").map(&:to_s).join
      assert_equal [[1.0, 2.0]] * 2, client(route: "embeddings").embed(%w[a b]).to_a
      assert_includes assert_raises(MlflowGateway::ServerError) { plain.complete("503") }.body, "busy"
      assert_equal "r", plain.route.name
      plain.queue { |queue| queue.submit(prompt: "q") && assert_equal("q", queue.next.value.text) }
      assert_raises(Timeout::Error) { Timeout.timeout(0.2) { chat.stream("half of it") { nil } } }
    end)
  end

  def test_calls_are_right_while_the_garbage_collector_always_runs
    check_calls { |calls| with(:stress, STRESS, &calls) }
  end

  # Where the interpreter can move objects.
  def test_calls_are_right_while_the_garbage_collector_moves_objects
    return assert_raises(NotImplementedError) { GC.compact } unless GC.respond_to?(:auto_compact=)

    check_calls do |calls|
      with(:auto_compact, true) do
        3.times do
          calls.call
          GC.compact
        end
      end
    end
  end

  def test_response_lives_as_long_as_what_refers_to_it
    candidates = Array.new(50) { client.complete("hi there").candidates.first }
    GC.start
    assert_equal ["hi there"], candidates.map(&:text).uniq
  end

  # A Ractor gets a copy of what is passed to it, which these objects refuse halfway.
  COPY = <<~'RUBY'
    require "mlflow_gateway"
    client = MlflowGateway::Client.new(route: "r", uri: ARGV[0], max_retries: 0)
    response = client.complete("hi there")
    error = (client.complete("503") rescue $!)
    [response, error, client].each do |object|
      50.times { Ractor.new(object) { nil } rescue puts $!.class }
      GC.start
    end
    exit([response.candidates.first.text, error.header("content-length")] == ["hi there", "18"])
  RUBY

  def test_incomplete_copies_destroy_nothing
    status, output = ruby(COPY, COMMANDED)
    assert_predicate status, :success?, "#{status}: #{output}"
  end

  def test_dropped_objects_are_destroyed
    before = descriptors
    20.times do
      MlflowGateway::Client.new(route: "r", uri: COMMANDED).then do |client|
        client.complete("x")
        client.queue.submit(prompt: "stall")
        client.stream("half").next
      rescue MlflowGateway::Error
        next
      end
    end
    assert_eventually("#{descriptors} descriptors, #{before} before") do
      Array.new(1000) { +"x" } # overwrites what the stack still refers to
      GC.start
      descriptors <= before + 12
    end
  end
end
