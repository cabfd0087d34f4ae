# frozen_string_literal: true

module MlflowGateway
  # Objects of the C library. The garbage collector destroys those that were not freed.
  #
  # @api private
  module Pointers
    # Define a class of pointers.
    #
    # @param destroy [Symbol] the function that destroys the object
    # @return [Class]
    def self.destroyed_by(destroy)
      Class.new(FFI::AutoPointer) do
        define_singleton_method(:release) { |pointer| Native.public_send(destroy, pointer) }
      end
    end

    # A handle.
    Gateway = destroyed_by(:destroy)
    # A cancel token.
    CancelToken = destroyed_by(:cancel_token_destroy)
    # An error.
    Error = destroyed_by(:error_destroy)
    # A queue.
    Queue = destroyed_by(:queue_destroy)
    # A response.
    Response = destroyed_by(:response_destroy)
    # Routes.
    Routes = destroyed_by(:routes_destroy)
    # A request.
    Request = destroyed_by(:request_destroy)
    # A string.
    Text = destroyed_by(:string_free)
  end
end
