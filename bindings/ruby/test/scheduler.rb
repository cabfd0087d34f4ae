# frozen_string_literal: true

require "io/wait"

# A small scheduler for non-blocking fibers: one IO.select for all descriptors and timers. Fibers transfer to its fiber,
# because in the fiber of an Enumerator, Fiber.yield returns to the caller of Enumerator#next.
class Scheduler
  def initialize
    @fiber = Fiber.current
    @waiting = {}.compare_by_identity # fibers by the IO that they wait for
    @timers = {}.compare_by_identity # times by fiber
    @blocked = {}.compare_by_identity
    @unblocked = []
    @lock = Mutex.new
    @wake_read, @wake_write = IO.pipe
    @poll_size = 0
  end

  # @return [Integer] the most descriptors that were waited for at once
  attr_reader :poll_size

  def run
    turn until @waiting.empty? && @timers.empty? && @blocked.empty? && @unblocked.empty?
  end

  def close
    run
  ensure
    @wake_read.close
    @wake_write.close
  end

  def fiber(&block)
    # The new fiber does not return to the one that starts it.
    @lock.synchronize { @unblocked << Fiber.current } unless Fiber.current == @fiber
    Fiber.new(blocking: false, &block).tap(&:transfer)
  end

  def io_wait(io, events, timeout)
    raise "only reading" unless events == IO::READABLE
    raise "another fiber waits for the same IO" if @waiting.key?(io)

    @waiting[io] = Fiber.current
    @timers[Fiber.current] = now + timeout if timeout
    @fiber.transfer ? events : false
  ensure
    @waiting.delete(io)
    @timers.delete(Fiber.current)
  end

  def kernel_sleep(seconds = nil)
    block(:sleep, seconds)
  end

  def block(_blocker, timeout = nil)
    timeout ? @timers[Fiber.current] = now + timeout : @blocked[Fiber.current] = true
    @fiber.transfer
  ensure
    @timers.delete(Fiber.current)
    @blocked.delete(Fiber.current)
  end

  def unblock(_blocker, fiber)
    @lock.synchronize { @unblocked << fiber }
    @wake_write.write_nonblock(".", exception: false)
  end

  private

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end

  def turn
    @poll_size = [@poll_size, @waiting.size].max
    timeout = @timers.values.min&.then { |time| [time - now, 0].max }
    timeout = 0 unless @unblocked.empty?
    readable, = IO.select([*@waiting.keys, @wake_read], [], [], timeout)
    readable&.each { |io| io == @wake_read ? io.read_nonblock(4096) : @waiting.delete(io)&.transfer(true) }
    @timers.select { |_, time| time <= now }.each_key { |fiber| fiber.transfer(false) if @timers.delete(fiber) }
    @lock.synchronize { @unblocked.shift(@unblocked.size) }.each { |fiber| fiber.transfer if fiber.alive? }
  end
end
