# frozen_string_literal: true

require_relative "helper"

# The garbage collector runs at every allocation, and may destroy whatever nothing refers to.
class GCTest < Minitest::Test
  include Helper

  def stressed
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end

  def test_calls_are_right_while_the_garbage_collector_always_runs
    plain = client
    chat = client(route: "chat")
    stressed do
      assert_equal "hi", plain.complete("hi", max_tokens: 3).text
      assert_equal "hello world", chat.stream("hello world").map(&:to_s).join
      assert_equal [[1.0, 2.0]] * 2, client(route: "embeddings").embed(%w[a b]).to_a
      assert_includes assert_raises(MlflowGateway::ServerError) { plain.complete("503") }.body, "busy"
      assert_equal "r", plain.route.name
      plain.queue { |queue| queue.submit(prompt: "q") && assert_equal("q", queue.next.value.text) }
      assert_raises(Timeout::Error) { Timeout.timeout(0.2) { chat.stream("half of it") { nil } } }
    end
  end

  def test_response_lives_as_long_as_what_refers_to_it
    candidates = Array.new(50) { client.complete("hi there").candidates.first }
    GC.start
    assert_equal ["hi there"], candidates.map(&:text).uniq
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
