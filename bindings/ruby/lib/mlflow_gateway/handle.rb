# frozen_string_literal: true

module MlflowGateway
  # A handle of the C library, and the settings that it was made with.
  #
  # @api private
  class Handle
    # Create a handle.
    def initialize(route, uri, params:, headers:, logger:, options:)
      @settings = { params: params.dup, headers: headers.dup, logger: logger, options: options.compact }.freeze
      @route = route
      @uri = uri
      @lock = Mutex.new
      @pointer = create
    end

    # Create a second C handle with the same settings.
    #
    # @return [FFI::AutoPointer]
    def create
      pointer = Native.make(:create, Pointers::Gateway, @route && Strings.utf8(@route), @uri && Strings.utf8(@uri))
      @settings[:options].each { |name, value| Native.call(:set_option, pointer, name.to_s, Strings.utf8(value.to_s)) }
      @settings[:headers].each { |name, value| Native.call(:set_header, pointer, name.to_s, Strings.utf8(value)) }
      @settings[:params].each { |name, value| set_param(pointer, name.to_s, value) }
      Logging.install(pointer, @settings[:logger]) if @settings[:logger]
      pointer
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

    def set_param(pointer, name, value)
      case value
      when Integer then Native.call(:set_param_int, pointer, name, value)
      when Float then Native.call(:set_param_double, pointer, name, value)
      when true, false then Native.call(:set_param_bool, pointer, name, value ? 1 : 0)
      when String, Symbol then Native.call(:set_param_string, pointer, name, Strings.utf8(value))
      else Native.call(:set_param_json, pointer, name, JSON.generate(value))
      end
    end
  end
end
