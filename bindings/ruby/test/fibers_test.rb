# frozen_string_literal: true

require_relative "helper"
require_relative "scheduler"

# With a Fiber scheduler only the fiber waits that makes a call.
class FibersTest < Minitest::Test
  include Helper

  # Sends 10 events to each of 1,000 streams, once all have arrived.
  STREAMS = ENV.fetch("STREAMS_URL")
  COUNT = 1000
  EVENTS = 10
  NUMBERS = (0...EVENTS).map(&:to_s).freeze
  # For COUNT calls at once: three for each.
  DESCRIPTORS = (3 * COUNT) + 200

  def setup
    soft, hard = Process.getrlimit(:NOFILE)
    Process.setrlimit(:NOFILE, DESCRIPTORS, [hard, DESCRIPTORS].max) if soft < DESCRIPTORS
  end

  def with_scheduler
    Thread.new do
      scheduler = Scheduler.new
      Fiber.set_scheduler(scheduler)
      yield
      scheduler
    end.value
  end

  def test_fibers_call_at_the_same_time
    client = client(uri: ENV.fetch("SLOW_URL"), route: "completions")
    took = least do
      got = []
      seconds do
        with_scheduler { 8.times { |at| Fiber.schedule { got << client.complete("f#{at}").text } } }
        assert_equal Array.new(8) { |at| "f#{at}" }, got.sort
      end
    end
    assert_operator took, :<, 1.2
  end

  def test_everything_works_in_a_fiber
    plain = client
    chat = client(route: "chat")
    got = []
    with_scheduler do
      Fiber.schedule { got << plain.routes.size }
      Fiber.schedule { got << chat.stream("hello world").map(&:to_s).join }
      Fiber.schedule { got << chat.stream("hello world").next.text }
      Fiber.schedule { plain.queue { |queue| queue.submit(prompt: "q") && (got << queue.next.value.text) } }
      Fiber.schedule { fetch_in_two_fibers(plain.queue, got) }
      Fiber.schedule { plain.complete("503") rescue got << :error } # rubocop:disable Style/RescueModifier
    end
    assert_equal [3, "hello world", "hello", "q", "one", "two", :error].sort_by(&:to_s), got.sort_by(&:to_s)
  end

  def fetch_in_two_fibers(queue, got)
    2.times { Fiber.schedule { got << queue.next.value.text } }
    %w[one two].each { |prompt| queue.submit(prompt: prompt) }
  end

  def test_1000_fibers_stream_at_once_and_lose_no_event
    client = client(uri: STREAMS, route: "chat", max_connections: COUNT)
    streams = Array.new(COUNT) { [] }
    texts = Array.new(COUNT)
    scheduler = with_scheduler do
      COUNT.times do |at|
        Fiber.schedule { texts[at] = client.stream("s#{at}") { |event| streams[at] << event.text if event.text? }.text }
      end
    end
    assert_equal COUNT, scheduler.poll_size
    streams.each { |events| assert_equal NUMBERS, (events.map { |text| text[/\d+/] }) }
    assert_equal streams.map(&:join), texts
  end

  # One fiber fetches, and passes each completion to the fiber that submitted its request.
  def test_1000_fibers_stream_at_once_through_one_queue
    client = client(uri: STREAMS, route: "chat", max_connections: COUNT)
    texts = Array.new(COUNT) { [] }
    client.queue(max_in_flight: COUNT) do |queue|
      with_scheduler do
        COUNT.times do |at|
          Fiber.schedule do
            completions = Thread::Queue.new
            queue.submit(prompt: "s#{at}", stream: true, tag: completions)
            until (completion = completions.pop).done?
              texts[at] << completion.event.text if completion.event.text?
            end
            assert_equal texts[at].join, completion.value.text
          end
        end
        Fiber.schedule do
          queue.close
          queue.each { |completion| completion.tag << completion }
        end
      end
    end
    texts.each { |events| assert_equal NUMBERS, (events.map { |text| text[/\d+/] }) }
  end
end
