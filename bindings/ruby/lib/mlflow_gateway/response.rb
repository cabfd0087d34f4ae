# frozen_string_literal: true

module MlflowGateway
  # One of the alternative replies of a response.
  class Candidate
    # @api private
    def initialize(pointer, index)
      @pointer = pointer
      @index = index
      freeze
    end

    # @return [String, nil] the text; nil if there is none, for example with tool calls
    def text
      Strings.bytes(:response_text, @pointer, @index)
    end

    # @return [String, nil] the reasoning
    def reasoning
      Strings.bytes(:response_reasoning, @pointer, @index)
    end

    # @return [String, nil] the refusal
    def refusal
      Strings.bytes(:response_refusal, @pointer, @index)
    end

    # @return [String, nil] the role, "assistant"; nil if not reported
    def role
      Strings.text(Native.response_role(@pointer, @index))
    end

    # @return [String, nil] "stop", "length", "tool_calls", "content_filter" or another one; nil if not reported
    def finish_reason
      Strings.text(Native.response_finish_reason(@pointer, @index))
    end

    # @return [Array<ToolCall>] the tool calls
    def tool_calls
      Array.new(Native.response_tool_call_count(@pointer, @index)) do |call|
        ToolCall.new(Strings.text(Native.response_tool_call_id(@pointer, @index, call)),
                     Strings.text(Native.response_tool_call_name(@pointer, @index, call)),
                     Strings.bytes(:response_tool_call_arguments, @pointer, @index, call)).freeze
      end.freeze
    end

    # Return the message as JSON, to store it and to continue the conversation with it later. {Client#chat} accepts
    # candidates as messages, too.
    #
    # @return [String, nil] nil if nothing was gathered
    def message_json
      Strings.bytes(:response_message_json, @pointer, @index)
    end
  end

  # A response. The methods of a candidate are those of the first one.
  class Response
    # @return [String, nil] the text; nil if there is none, for example with tool calls
    attr_reader :text
    # @return [String, nil] the body as received; nil for a stream
    attr_reader :body

    # The garbage collector does not count what a C object uses. It counts the strings that are read here, which are
    # most of it.
    #
    # @api private
    def initialize(pointer)
      @pointer = pointer
      @first = Candidate.new(pointer, 0)
      @text = @first.text
      @body = Strings.bytes(:response_body, pointer)
      freeze
    end

    # @return [Array<Candidate>] all candidates (parameter `n`)
    def candidates
      Array.new(Native.response_candidate_count(@pointer)) { |index| Candidate.new(@pointer, index) }.freeze
    end

    # (see Candidate#reasoning)
    def reasoning
      @first.reasoning
    end

    # (see Candidate#refusal)
    def refusal
      @first.refusal
    end

    # (see Candidate#role)
    def role
      @first.role
    end

    # (see Candidate#finish_reason)
    def finish_reason
      @first.finish_reason
    end

    # (see Candidate#tool_calls)
    def tool_calls
      @first.tool_calls
    end

    # (see Candidate#message_json)
    def message_json
      @first.message_json
    end

    # Return the text, or raise an error if there is none.
    #
    # @return [String]
    # @raise [NoTextError]
    def text!
      text or raise NoTextError, "the response has no text (finish reason: #{finish_reason || 'not reported'})"
    end

    # @return [String] the text, "" if there is none
    def to_s
      text || ""
    end

    # @return [String, nil] the id of the response
    def id
      Strings.text(Native.response_id(@pointer))
    end

    # @return [String, nil] the name of the model
    def model
      Strings.text(Native.response_model(@pointer))
    end

    # @return [Tokens] the token counts
    def tokens
      Tokens.read(:response_tokens, @pointer)
    end

    # @return [Times] the times of the call
    def times
      Times.read(@pointer)
    end

    # @return [Integer] the HTTP status, 200 to 299
    def http_status
      Native.response_http_status(@pointer)
    end

    # Return the first response header of that name.
    #
    # @param name [String] case-insensitive
    # @return [String, nil]
    def header(name)
      Strings.text(Native.response_header(@pointer, Strings.utf8(name)))
    end

    # @return [Integer] how many times the request was sent
    def attempts
      Native.response_attempts(@pointer)
    end

    # @return [Array<String>] why each retry was made
    def retry_reasons
      Array.new(Native.response_retry_count(@pointer)) do |at|
        Strings.text(Native.response_retry_reason(@pointer, at))
      end.freeze
    end

    # @return [String] a short description
    def inspect
      "#<#{self.class} #{text.inspect} finish_reason=#{finish_reason.inspect}>"
    end
  end
end
