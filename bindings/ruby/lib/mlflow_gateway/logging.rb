# frozen_string_literal: true

module MlflowGateway
  # Passes the log lines of the C library to a Logger.
  #
  # The C library calls back while it works, and nothing may jump out of it then, neither Thread#kill nor the throw of a
  # logger. So the lines are collected, and logged when the C function has returned.
  #
  # @api private
  module Logging
    # Levels of the C library, and the methods of Logger.
    METHODS = { 1 => :error, 2 => :info, 3 => :debug }.freeze
    # The variable of a fiber with its lines.
    LINES = :mlflow_gateway_lines

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

      # Collect a line.
      #
      # @return [void]
      def collect(level, line, length, key)
        logger, = @loggers[key.address]
        return unless logger

        text = line.read_bytes(length).force_encoding(Encoding::UTF_8)
        (Thread.current[LINES] ||= []) << [logger, METHODS.fetch(level, :debug), text]
      end

      # Forget a logger.
      #
      # @return [void]
      def forget(key)
        @loggers.delete(key.address)
      end

      # Return the lines that were collected, and forget them.
      #
      # @return [Array]
      def take
        lines = Thread.current[LINES]
        return [] unless lines

        Thread.current[LINES] = nil
        lines
      end

      # Log lines. A logger that fails does not end a call.
      #
      # @param lines [Array]
      # @return [void]
      def flush(lines = take)
        lines.each do |logger, method, text|
          Native.uninterrupted { log(logger, method, text) }
        end
      end

      private

      def level(logger)
        return 3 if logger.debug?

        logger.info? ? 2 : 1
      end

      # Exceptions of other threads are deferred, so they are not mistaken for one of the logger.
      def log(logger, method, text)
        logger.public_send(method, text)
      rescue StandardError => e
        warn("mlflow_gateway: the logger failed: #{e.message}")
      end
    end

    # The callbacks live as long as the process, since the garbage collector may destroy a handle after its client.
    ON_LOG = FFI::Function.new(:void, %i[int32 pointer size_t pointer], &method(:collect))
    # See ON_LOG.
    ON_DESTROY = FFI::Function.new(:void, %i[pointer], &method(:forget))
  end
end
