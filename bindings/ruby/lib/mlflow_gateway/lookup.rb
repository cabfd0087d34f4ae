# frozen_string_literal: true

module MlflowGateway
  # Calls a C function that waits and that no queue can make, on a thread of its own, so that anything can interrupt it.
  #
  # @api private
  class Lookup
    # @param handle [Handle]
    def initialize(handle)
      @gateway = handle.use { handle.create }
      @token = Native.make(:cancel_token_create, Pointers::CancelToken)
      Native.call(:set_cancel_token, @gateway, @token)
    end

    # Run a block with the C handle on another thread, and return its result.
    def call
      thread = Thread.new do
        Thread.current.report_on_exception = false
        yield @gateway
      ensure
        # With its connections, which the garbage collector would keep longer.
        @gateway.free
      end
      thread.value
    ensure
      # Nothing else ends the thread when this one is interrupted.
      Native.uninterrupted do
        Native.cancel(@token)
        @token.free
      end
    end
  end
end
