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
    # Where the C library writes objects: an object that is there is destroyed with the lane, whenever it is
    # interrupted.
    SLOT = FFI::Type::POINTER.size

    # @param handle [Handle]
    def initialize(handle)
      slots = FFI::MemoryPointer.new(:pointer, 3)
      @request, @completion, @error = [0, 1, 2].map { |at| slots + (at * SLOT) }
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
        clear(@completion, :completion_destroy)
        clear(@request, :request_destroy)
        clear(@error, :error_destroy)
        @queue.free
      end
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
      clear(@request, :request_destroy)
    end

    # Wait until there is a completion, and return its kind.
    def wait
      while (status = Native.queue_next(@queue, 0, @completion, @error)) != Native::OK
        check(status) unless status == Native::PENDING
        check_process
        @io.wait_readable
      end
      Native.completion_kind(completion)
    end

    def completion
      @completion.read_pointer
    end

    def take_event
      event = Event.new(Native.completion_event(completion))
      clear(@completion, :completion_destroy)
      event
    end

    def finish
      response, embeddings, error = Native.uninterrupted { Completion.read(completion) }
      clear(@completion, :completion_destroy)
      raise Error.take(error, response) if error

      @is_clean = embeddings || response.attempts == 1
      embeddings || response
    end

    def check(status)
      return if status == Native::OK

      error = @error.read_pointer
      @error.put_pointer(0, nil)
      raise Error.take(error)
    end

    # The C library reports it, too, but the descriptor would not become readable.
    def check_process
      return if Process.pid == @process

      raise InvalidArgumentError, "a call that was made before fork() continues in the parent only"
    end

    def clear(slot, destroy)
      pointer = slot.read_pointer
      return if pointer.null?

      slot.put_pointer(0, nil)
      Native.public_send(destroy, pointer)
    end
  end
end
