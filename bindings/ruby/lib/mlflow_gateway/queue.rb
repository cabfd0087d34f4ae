# frozen_string_literal: true

module MlflowGateway
  # Sends many requests at once, within limits. {Client#queue} creates it:
  #
  #     client.queue(max_in_flight: 32, requests_per_second: 5) do |queue|
  #       prompts.each_with_index { |prompt, index| queue.submit(prompt: prompt, tag: index) }
  #       queue.close
  #       queue.each { |completion| puts "#{completion.tag}: #{completion.value.text}" }
  #     end
  #
  # Any thread may use it. It belongs to the process that created it.
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
      @io = IO.for_fd(descriptor, autoclose: false)
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

    # Submit a request. It does not wait: a request that cannot be sent yet waits in the queue. It has a prompt,
    # messages, inputs (for embeddings), or a path with a body.
    #
    # @param tag [Object] each completion of the request has it
    # @param stream [Boolean] whether the events of the response are returned, too
    # @param contents [Hash] what {Client#complete}, {Client#chat}, {Client#embed} and {Client#raw} accept
    # @return [Boolean] false if max_queued requests wait: fetch completions, then submit it again
    # @raise [CallerError] if the request is not valid
    # @raise [ClosedError]
    def submit(tag: nil, stream: false, **contents)
      contents = Client.contents(**contents)
      how = contents.inputs ? Native::EMBED : Native::SEND
      how = Native::STREAM if stream
      Native.uninterrupted { use { |queue| send_request(queue, contents, how, tag) } }
    end

    # Wait for the next completion.
    #
    # @param timeout [Numeric, nil] seconds; nil waits without limit, 0 does not wait
    # @return [Completion, nil] nil if none arrived in time, or if the queue is closed and all were fetched
    # @raise [ClosedError]
    def next(timeout: nil)
      deadline = timeout && (now + timeout)
      loop do
        found, status = fetch
        return found if found
        return if status == Native::QUEUE_END

        left = deadline && (deadline - now)
        return if left && left <= 0

        wait(left)
      end
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

    # @return [Integer] requests that wait to be sent
    def waiting
      count(1)
    end

    # @return [Integer] requests that are being sent
    def in_flight
      count(2)
    end

    # @return [Integer] completions that {#next} can return now
    def unfetched
      count(3) + @ready.size
    end

    # @return [Integer] how many requests may be in flight
    def limit
      count(4)
    end

    # Accept no more requests. {#each} ends when all completions were fetched.
    #
    # @return [void]
    def close
      use { |queue| Native.queue_close(queue) }
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

    def count(kind)
      use { |queue| Native.queue_count(queue, kind) }
    end

    def send_request(queue, contents, how, tag)
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

    # An interruption between fetching and returning would lose a completion, so it is kept in between.
    def fetch
      status = Native.uninterrupted { use { |queue| @ready.empty? ? fetch_into_ready(queue) : Native::OK } }
      [@lock.synchronize { @ready.shift }, status]
    end

    def fetch_into_ready(queue)
      slot, error = Array.new(2) { FFI::MemoryPointer.new(:pointer) }
      status = Native.queue_next(queue, 0, slot, error)
      if status == Native::OK
        keep(slot.read_pointer)
      elsif status < 100
        raise Error.take(error.read_pointer)
      end
      status
    end

    def keep(pointer)
      number = Native.completion_tag(pointer)
      completion = Completion.new(pointer, @tags[number])
      @tags.delete(number) if completion.done?
      @ready << completion
    ensure
      Native.completion_destroy(pointer)
    end

    # The descriptor stays open while a thread waits for it.
    def wait(seconds)
      raise InvalidArgumentError, "a queue belongs to the process that created it" if Process.pid != @process

      use { @waiters += 1 }
      begin
        @io.wait_readable([seconds, MAX_WAIT].compact.min)
      ensure
        @lock.synchronize do
          @waiters -= 1
          destroy if @is_aborted && @waiters.zero?
        end
      end
    end
  end
end
