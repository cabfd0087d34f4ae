# frozen_string_literal: true

module MlflowGateway
  # Conversion of strings.
  #
  # @api private
  module Strings
    # Return a string in UTF-8, as the C library expects it. Binary strings are passed unchanged.
    #
    # @param value [String, Symbol]
    # @return [String]
    def self.utf8(value)
      string = value.is_a?(Symbol) ? value.name : value
      raise TypeError, "expected a String, not #{value.class}" unless string.is_a?(String)

      case string.encoding
      when Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY then string
      else string.encode(Encoding::UTF_8)
      end
    end

    # Return the value of an option: whole numbers have no fraction, whatever their class is.
    #
    # @param value [Object]
    # @return [String, nil]
    def self.option(value)
      return if value.nil?

      (value.is_a?(Numeric) && value == value.to_i ? value.to_i : value).to_s
    end

    # Return JSON: a String unchanged, anything else as JSON.
    #
    # @param value [Object]
    # @return [String]
    def self.json(value)
      value.is_a?(String) ? utf8(value) : JSON.generate(value)
    end

    # Return a frozen UTF-8 string of one that FFI has read.
    #
    # @param string [String, nil]
    # @return [String, nil]
    def self.text(string)
      string&.force_encoding(Encoding::UTF_8)&.freeze
    end

    # Call a function that returns a string and writes its length, and return the string.
    #
    # @param name [Symbol] the function
    # @param arguments [Array] all arguments except the length
    # @return [String, nil] frozen UTF-8, or bytes if it is not UTF-8
    def self.bytes(name, *arguments)
      length = FFI::MemoryPointer.new(:size_t)
      pointer = Native.public_send(name, *arguments, length)
      return if pointer.null?

      string = pointer.read_bytes(length.read(:size_t)).force_encoding(Encoding::UTF_8)
      string.force_encoding(Encoding::BINARY) unless string.valid_encoding?
      string.freeze
    end
  end
end
