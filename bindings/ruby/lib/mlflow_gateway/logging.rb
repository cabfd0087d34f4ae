# frozen_string_literal: true

module MlflowGateway
  # Passes the log lines of the C library to a Logger.
  #
  # @api private
  module Logging
    # Levels of the C library, and the methods of Logger.
    METHODS = { 1 => :error, 2 => :info, 3 => :debug }.freeze

    # Loggers, each with its key, by the address of the key. The C library passes the key through, and reports when no
    # call uses it any more.
    @loggers = {}

    class << self
      # Install a logger.
      #
      # @param gateway [FFI::Pointer] a handle
      # @param logger [Logger]
      # @return [void]
      def install(gateway, logger)
        key = FFI::MemoryPointer.new(:char)
        @loggers[key.address] = [logger, key]
        Native.call(:set_log, gateway, level(logger), ON_LOG, key, ON_DESTROY)
      end

      # Log a line. A logger that fails must not end the C function that runs.
      #
      # @return [void]
      def log(level, line, length, key)
        text = line.read_bytes(length).force_encoding(Encoding::UTF_8)
        Native.uninterrupted { @loggers[key.address]&.first&.public_send(METHODS.fetch(level, :debug), text) }
      rescue StandardError => e
        warn("mlflow_gateway: the logger failed: #{e.message}")
      end

      # Forget a logger.
      #
      # @return [void]
      def forget(key)
        @loggers.delete(key.address)
      end

      private

      def level(logger)
        return 3 if logger.debug?

        logger.info? ? 2 : 1
      end
    end

    # The callbacks live as long as the process, since the garbage collector may destroy a handle after its client.
    ON_LOG = FFI::Function.new(:void, %i[int32 pointer size_t pointer], &method(:log))
    # See ON_LOG.
    ON_DESTROY = FFI::Function.new(:void, %i[pointer], &method(:forget))
  end
end
