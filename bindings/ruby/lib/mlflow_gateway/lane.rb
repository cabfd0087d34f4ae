# frozen_string_literal: true

module MlflowGateway
  # Makes one call at a time, on a queue of its own. A thread or fiber that waits for its response waits for the
  # descriptor of the queue, so that anything can interrupt it.
  #
  # A queue for each call in place of one for all: no thread has to pass on what another one waits for, and a pause
  # after HTTP status 429 ends with its call.
  #
  # @api private
  class Lane
    # @param handle [Handle]
    def initialize(handle)
      # What is in a slot is destroyed with the lane, whenever the call is interrupted.
      @owners = %i[request_destroy completion_destroy error_destroy].map { |destroy| Pointers::Owner.new(destroy) }
      @request, @completion, @error = @owners.map(&:slot)
      @queue = handle.use { |gateway| Native.make(:queue_create, Pointers::Queue, gateway) }
      @io = IO.for_fd(descriptor, autoclose: false)
      @process = Process.pid
    end

    # Send a request and wait until it has ended. Yields the events of a stream.
    #
    # @param contents [Request::Contents]
    # @param how [Integer] a way to submit
    # @return [Response, Embeddings]
    def call(contents, how)
      submit(contents, how)
      wait_readable
      yield take_event while wait != Native::DONE
      finish
    end

    # @return [Boolean] whether the next call would not differ from one on a new lane
    def clean?
      @is_clean
    end

    # Cancel the request, and destroy everything.
    def destroy
      Native.uninterrupted do
        @owners.each(&:release)
        @queue.free
      end
      Logging.flush
    end

    private

    def descriptor
      number = FFI::MemoryPointer.new(:int)
      Native.call(:queue_fd, @queue, number)
      number.read_int
    end

    def submit(contents, how)
      @is_clean = false
      check(Native.request_create(@request, @error))
      request = @request.read_pointer
      Request.new(request, @error).write(contents)
      check(Native.queue_submit(@queue, request, how, 0, @error))
      take(@request) { |pointer| Native.request_destroy(pointer) }
    end

    # Wait until there is a completion, and return its kind.
    def wait
      while (status = fetch) != Native::OK
        check(status) unless status == Native::PENDING
        wait_readable
      end
      Native.completion_kind(completion)
    end

    # The C library reports a call that continues in a forked process, too, but there its descriptor does not become
    # readable.
    def wait_readable
      if Process.pid != @process
        raise InvalidArgumentError, "a call that was made before fork() continues in the parent only"
      end

      @io.wait_readable
    end

    def fetch
      status = Native.uninterrupted { Native.queue_next(@queue, 0, @completion, @error) }
      Logging.flush
      status
    end

    def completion
      @completion.read_pointer
    end

    def take_event
      take(@completion) do |pointer|
        Event.new(Native.completion_event(pointer))
      ensure
        Native.completion_destroy(pointer)
      end
    end

    def finish
      response, embeddings, error = take(@completion) do |pointer|
        Completion.read(pointer)
      ensure
        Native.completion_destroy(pointer)
      end
      raise error if error

      @is_clean = embeddings || response.attempts == 1
      embeddings || response
    end

    def check(status)
      return if status == Native::OK

      raise(take(@error) { |pointer| Error.take(pointer) })
    end

    # Yield what is in a slot, for which the block is responsible.
    def take(slot)
      Native.uninterrupted do
        pointer = slot.read_pointer
        slot.put_pointer(0, nil)
        yield pointer
      end
    end
  end
end
