# frozen_string_literal: true

module MlflowGateway
  # Token counts, each nil if it was not reported. The total is as reported, not computed.
  Tokens = Struct.new(:input, :output, :total, :cached_input, :reasoning, :cache_write) do
    # Read all counts of an object.
    #
    # @api private
    def self.read(function, pointer)
      counts = members.each_index.map { |at| Native.public_send(function, pointer, at + 1) }
      new(*counts.map { |count| count unless count.negative? }).freeze
    end
  end

  # Seconds from the start of a call to points of its last attempt, each nil if it is not known. `queued` is the time
  # that the request waited before its start.
  Times = Struct.new(:queued, :connected, :first_byte, :first_token, :first_text, :total) do
    # Read all times of a response.
    #
    # @api private
    def self.read(pointer)
      times = members.each_index.map { |at| Native.response_time_us(pointer, at + 1) }
      new(*times.map { |time| time / 1e6 unless time.negative? }).freeze
    end
  end

  # A tool call of a model. `arguments` is JSON as the model wrote it, which is not necessarily valid.
  ToolCall = Struct.new(:id, :name, :arguments) do
    # Parse the arguments.
    #
    # @return [Object]
    # @raise [JSON::ParserError]
    def parse
      JSON.parse(arguments)
    end

    # Return the message with the result of the call, for {Client#chat}.
    #
    # @param content [Object] what the tool returned: a String, or else it is sent as JSON
    # @return [Hash{Symbol => String}]
    def result(content)
      { role: "tool", tool_call_id: id, content: Strings.json(content) }.compact.freeze
    end
  end
end
