# frozen_string_literal: true

module MlflowGateway
  # A handle of the C library.
  #
  # @api private
  class Handle
    # Create a handle.
    def initialize(route, uri, params:, headers:, logger:, options:)
      @lock = Mutex.new
      pointer = Native.make(:create, Pointers::Gateway, route && Strings.utf8(route), uri && Strings.utf8(uri.to_s))
      options.each { |name, value| set(:set_option, pointer, name, Strings.option(value)) }
      headers.each { |name, value| set(:set_header, pointer, name, value&.to_s) }
      params.compact.each { |name, value| set_param(pointer, name.to_s, value) }
      Logging.install(pointer, logger) if logger
      @pointer = pointer
    end

    # Create a second C handle, which shares the connections.
    #
    # @return [FFI::Pointer]
    # @raise [ClosedError]
    def copy
      use { |pointer| Native.make(:clone, Pointers::Gateway, pointer) }
    end

    # Yield the C handle. It is not destroyed meanwhile.
    #
    # @raise [ClosedError]
    def use
      @lock.synchronize { yield @pointer || raise(ClosedError, "the client is closed") }
    end

    # Destroy the C handle. Requests in flight continue.
    def close
      @lock.synchronize do
        @pointer&.free
        @pointer = nil
      end
    end

    # @return [Boolean] whether it is closed
    def closed?
      @pointer.nil?
    end

    # @return [String] a short description, without credentials
    def inspect
      "#<#{self.class}>"
    end

    private

    # nil leaves the default.
    def set(function, pointer, name, value)
      Native.call(function, pointer, name.to_s, Strings.utf8(value)) if value
    end

    def set_param(pointer, name, value)
      type, converted = Params.typed(value)
      Native.call(:"set_param_#{type}", pointer, name, converted)
    end
  end
end
