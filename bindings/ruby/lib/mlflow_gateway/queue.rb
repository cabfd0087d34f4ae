# frozen_string_literal: true

module MlflowGateway
  # Sends many requests at once, within limits. {Client#queue} creates it:
  #
  #     client.queue(max_in_flight: 32, max_queued: prompts.size) do |queue|
  #       prompts.each { |prompt| queue.submit(prompt: prompt, tag: prompt) }
  #       queue.close
  #       queue.each { |done| puts "#{done.tag}: #{done.error&.message || done.response.text}" }
  #     end
  #
  # Any thread may use it. It belongs to the process that created it. The methods of Enumerable fetch completions, and
  # wait for them.
  class Queue
    include Enumerable

    # How long a thread waits for the descriptor at most, in seconds: another one that was interrupted may have left a
    # completion in @ready.
    MAX_WAIT = 1
    private_constant :MAX_WAIT

    # @api private
    def initialize(handle, options)
      @lock = Mutex.new
      @tags = {}
      @ready = []
      @last_number = 0
      @waiters = 0
      @pointer = handle.use { |gateway| Native.make(:queue_create, Pointers::Queue, gateway) }
      options.each { |name, value| set_option(name, value) }
      @descriptor = descriptor
      @process = Process.pid
    end

    # Set an option, at any time: max_in_flight, max_queued, max_events, requests_per_second, tokens_per_minute or
    # adaptive.
    #
    # @param name [Symbol, String]
    # @param value [Integer, Float, Boolean]
    # @return [void]
    def set_option(name, value)
      use { |queue| Native.call(:queue_set_option, queue, name.to_s, value.to_s) }
    end

    # Submit a request. This does not wait: a request that cannot be sent yet waits in the queue. It has a prompt,
    # messages, inputs (for embeddings), or a path with a body.
    #
    # @param tag [Object] each completion of the request has it
    # @param stream [Boolean] whether the events of the response are returned, too
    # @param exception [Boolean] whether a full queue is an error
    # @param contents [Hash] what {Client#complete}, {Client#chat}, {Client#embed} and {Client#raw} accept
    # @return [Boolean] false if max_queued requests wait and exception is false
    # @raise [QueueFullError] if max_queued requests wait: fetch completions, then submit it again
    # @raise [CallerError] if the request is not valid
    # @raise [ClosedError]
    def submit(tag: nil, stream: false, exception: true, **contents)
      contents = Client.contents(**contents)
      how = contents.inputs ? Native::EMBED : Native::SEND
      how = Native::STREAM if stream
      is_accepted = Native.uninterrupted { use { |queue| send_request(queue, contents, how, tag) } }
      raise QueueFullError, "max_queued requests wait: fetch completions first" if exception && !is_accepted

      is_accepted
    end

    # Wait for the next completion.
    #
    # An exception of another thread, of Timeout or of a signal may arrive just when a completion is returned, which is
    # lost then. A thread that is interrupted only while it waits loses none:
    # `Thread.handle_interrupt(MyError => :on_blocking) { queue.next }`. So does one that is not interrupted, with the
    # timeout of this method.
    #
    # @param timeout [Numeric, nil] seconds; nil waits without limit, 0 does not wait
    # @return [Completion, nil] nil if none arrived in time, or if the queue is closed and all were fetched
    # @raise [ClosedError]
    def next(timeout: nil)
      deadline = timeout && (now + timeout)
      until (found = fetch)
        left = deadline && (deadline - now)
        return if @has_ended || (left && left <= 0)

        wait(left)
      end
      found
    end

    # Yield each completion, until the queue is closed and all were fetched.
    #
    # @yieldparam completion [Completion]
    def each
      return to_enum(:each) unless block_given?

      while (completion = self.next)
        yield completion
      end
      self
    end

    # Cancel all unfinished requests of a tag. Of each, only its end is returned, with a {CancelledError}.
    #
    # @param tag [Object]
    # @return [Integer] how many there are
    def cancel(tag)
      use do |queue|
        @tags.filter_map { |number, of| number if of == tag }.sum { |number| Native.queue_cancel(queue, number) }
      end
    end

    # @return [String] a short description
    def inspect
      "#<#{self.class}#{' closed' if @pointer.nil?}>"
    end

    # @return [Integer] requests that wait to be sent
    def waiting
      number_of(1)
    end

    # @return [Integer] requests that are being sent
    def in_flight
      number_of(2)
    end

    # @return [Integer] completions that {#next} can return now
    def unfetched
      number_of(3) + @ready.size
    end

    # @return [Integer] how many requests may be in flight
    def limit
      number_of(4)
    end

    # Accept no more requests. {#each} ends when all completions were fetched.
    #
    # @return [void]
    def close
      use do |queue|
        @is_closed = true
        Native.queue_close(queue)
      end
    end

    # Cancel all requests, and discard what was not fetched. Threads that wait in {#next} get a {ClosedError}.
    #
    # @return [void]
    def abort
      Native.uninterrupted do
        @lock.synchronize do
          next unless @pointer

          @is_aborted = true
          Native.queue_close(@pointer)
          @tags.each_key { |number| Native.queue_cancel(@pointer, number) }
          destroy if @waiters.zero?
        end
      end
      Logging.flush
    end

    private

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def use
      @lock.synchronize do
        raise ClosedError, "the queue was aborted" if @is_aborted || @pointer.nil?

        yield @pointer
      end
    end

    def destroy
      @pointer.free
      @pointer = nil
      @ready.clear
    end

    def descriptor
      number = FFI::MemoryPointer.new(:int)
      Native.call(:queue_fd, @pointer, number)
      number.read_int
    end

    def number_of(kind)
      use { |queue| Native.queue_count(queue, kind) }
    end

    def send_request(queue, contents, how, tag)
      raise ClosedError, "the queue is closed" if @is_closed

      request = Native.make(:request_create, Pointers::Request)
      error = FFI::MemoryPointer.new(:pointer)
      Request.new(request, error).write(contents)
      number = (@last_number += 1)
      status = Native.queue_submit(queue, request, how, number, error)
      raise Error.take(error.read_pointer) unless [Native::OK, Native::QUEUE_FULL].include?(status)

      @tags[number] = tag if status == Native::OK
      status == Native::OK
    ensure
      request&.free
    end

    # Exceptions that arrived meanwhile are raised after a completion is in @ready, for this thread or another one.
    def fetch
      Native.uninterrupted { use { |queue| fetch_into_ready(queue) if @ready.empty? } }
      Logging.flush
      @ready.shift
    end

    def fetch_into_ready(queue)
      slot, error = Array.new(2) { FFI::MemoryPointer.new(:pointer) }
      status = Native.queue_next(queue, 0, slot, error)
      case status
      when Native::OK then keep(slot.read_pointer)
      when Native::PENDING then nil
      when Native::QUEUE_END then @has_ended = true
      else raise Error.take(error.read_pointer)
      end
    end

    def keep(pointer)
      number = Native.completion_tag(pointer)
      completion = Completion.new(pointer, @tags[number])
      @tags.delete(number) if completion.done?
      @ready << completion
    ensure
      Native.completion_destroy(pointer)
    end

    # The descriptor stays open while a thread waits for it. Each has an IO of its own, because a Fiber scheduler may
    # accept one only once.
    def wait(seconds)
      raise InvalidArgumentError, "a queue belongs to the process that created it" if Process.pid != @process

      is_counted = false
      Native.uninterrupted do
        use do
          @waiters += 1
          is_counted = true
        end
      end
      IO.for_fd(@descriptor, autoclose: false).wait_readable([seconds, MAX_WAIT].compact.min)
    ensure
      stop_waiting if is_counted
    end

    def stop_waiting
      Native.uninterrupted do
        @lock.synchronize do
          @waiters -= 1
          destroy if @is_aborted && @waiters.zero?
        end
      end
    end
  end
end
