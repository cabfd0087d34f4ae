# frozen_string_literal: true

module MlflowGateway
  # The types of parameters.
  #
  # @api private
  module Params
    # Integers that the C library accepts as such.
    INTEGERS = (-(2**63)..((2**63) - 1))

    # Return how the names of the C functions for a value end, and what is passed to them.
    #
    # @param value [Object] not nil
    # @return [Array(Symbol, Object)]
    def self.typed(value)
      case value
      when Integer then INTEGERS.cover?(value) ? [:int, value] : [:json, value.to_s]
      when Numeric then [:double, Float(value)]
      when true, false then [:bool, value ? 1 : 0]
      when String, Symbol then [:string, Strings.utf8(value)]
      else [:json, JSON.generate(value)]
      end
    end
  end
end
