# frozen_string_literal: true

module MlflowGateway
  # Calls a C function that waits and that no queue can make, on a thread of its own, so that anything can interrupt it.
  #
  # @api private
  class Lookup
    # @param handle [Handle]
    def initialize(handle)
      @gateway = handle.copy
      @token = Native.make(:cancel_token_create, Pointers::CancelToken)
      Native.call(:set_cancel_token, @gateway, @token)
    end

    # Run a block with the C handle on another thread, and return its result.
    def call(&block)
      thread = Thread.new { Native.uninterrupted { perform(&block) } }
      result, error, lines = thread.value
      Logging.flush(lines)
      raise error if error

      result
    ensure
      Native.uninterrupted do
        # Nothing else ends the thread when this one is interrupted.
        Native.cancel(@token)
        @token.free
      end
    end

    private

    # An exception must not end the thread: with Thread.abort_on_exception it would end the program.
    def perform
      [yield(@gateway), nil, Logging.take]
    rescue Exception => e # rubocop:disable Lint/RescueException
      [nil, e, Logging.take]
    ensure
      @gateway.free
    end
  end
end
