# frozen_string_literal: true

module MlflowGateway
  # One event of a stream.
  class Event
    # Kinds of events. Others are `:other`.
    KINDS = { 1 => :text, 2 => :reasoning, 3 => :refusal, 4 => :tool_call, 5 => :finish, 6 => :usage }.freeze

    # @return [Symbol] :text, :reasoning, :refusal, :tool_call, :finish, :usage or :other
    attr_reader :kind
    # @return [Integer] the index of the candidate
    attr_reader :candidate
    # @return [String, nil] a fragment of text, reasoning, refusal or of the arguments of a tool call; or the finish
    #   reason
    attr_reader :text
    # @return [Integer, nil] the index of the tool call
    attr_reader :tool_call_index
    # @return [String, nil] the id of the tool call, known from the first fragment on
    attr_reader :tool_call_id
    # @return [String, nil] the name of the tool, known from the first fragment on
    attr_reader :tool_call_name
    # @return [Tokens, nil] the token counts of an event of the kind :usage
    attr_reader :tokens
    # @return [String, nil] the name of the server-sent event
    attr_reader :raw_name
    # @return [String, nil] the data of the server-sent event
    attr_reader :raw_data

    # @api private
    def initialize(pointer)
      @kind = KINDS.fetch(Native.event_kind(pointer), :other)
      @candidate = Native.event_candidate(pointer)
      @text = Strings.bytes(:event_text, pointer)
      read_tool_call(pointer) if @kind == :tool_call
      @tokens = Tokens.read(:event_tokens, pointer) if @kind == :usage
      @raw_name = Strings.text(Native.event_raw_name(pointer))
      @raw_data = Strings.bytes(:event_raw_data, pointer)
      freeze
    end

    # @return [Boolean] whether this is a fragment of the text of the first candidate
    def text?
      kind == :text && candidate.zero?
    end

    # @return [String] the fragment if {#text?}, else ""
    def to_s
      text? ? text : ""
    end

    private

    def read_tool_call(pointer)
      @tool_call_index = Native.event_tool_call_index(pointer)
      @tool_call_id = Strings.text(Native.event_tool_call_id(pointer))
      @tool_call_name = Strings.text(Native.event_tool_call_name(pointer))
    end
  end
end
