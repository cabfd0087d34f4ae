# frozen_string_literal: true

module MlflowGateway
  # Embeddings, one for each input.
  class Embeddings
    include Enumerable

    # @return [Integer] the number of embeddings
    attr_reader :size
    # @return [Integer] the number of floats of each embedding
    attr_reader :dimension
    # @return [String] all floats in input order, 32-bit in the machine's byte order, as Array#pack("f*") writes them
    attr_reader :data
    # @return [String, nil] the name of the model
    attr_reader :model
    # @return [Tokens] the token counts
    attr_reader :tokens

    # @api private
    def initialize(pointer)
      @size = Native.embeddings_count(pointer)
      @dimension = Native.embeddings_dimension(pointer)
      data = Native.embeddings_data(pointer)
      @data = (data.null? ? "".b : data.read_bytes(@size * @dimension * 4)).freeze
      @model = Strings.text(Native.embeddings_model(pointer))
      @tokens = Tokens.read(:embeddings_tokens, pointer)
      freeze
    end

    # Return an embedding.
    #
    # @param index [Integer] of the input; a negative one counts from the end
    # @return [Array<Float>, nil] nil if there is none
    def [](index)
      index += size if index.negative?
      return unless index.between?(0, size - 1)

      data.unpack("@#{index * dimension * 4}f#{dimension}").freeze
    end

    # @return [String] a short description
    def inspect
      "#<#{self.class} size=#{size} dimension=#{dimension} model=#{model.inspect}>"
    end

    # Yield each embedding.
    #
    # @yieldparam embedding [Array<Float>]
    def each
      return to_enum(:each) { size } unless block_given?

      size.times { |index| yield self[index] }
      self
    end
  end
end
