# frozen_string_literal: true

module MlflowGateway
  # What a {Queue} returns: an event of a stream, or the end of a request.
  class Completion
    # @return [Object] the tag that the request was submitted with
    attr_reader :tag
    # @return [Event, nil] the event of a stream
    attr_reader :event
    # @return [Response, nil] the response; that of a stream is what was gathered, also on failure
    attr_reader :response
    # @return [Embeddings, nil] the embeddings
    attr_reader :embeddings
    # @return [Error, nil] why the request failed
    attr_reader :error

    # Take the results out of the C object of an ended request.
    #
    # @return [Array] the response, the embeddings and the error, each or nil
    # @api private
    def self.read(pointer)
      taken = Pointers::Response.take(Native.completion_take_response(pointer))
      response = Response.new(taken) unless taken.null?
      embeddings = Native.completion_embeddings(pointer)
      error = Native.completion_take_error(pointer)
      [response, (Embeddings.new(embeddings) unless embeddings.null?), (Error.take(error, response) unless error.null?)]
    end

    # @api private
    def initialize(pointer, tag)
      @tag = tag
      @is_done = Native.completion_kind(pointer) == Native::DONE
      if @is_done
        @response, @embeddings, @error = Completion.read(pointer)
      else
        @event = Event.new(Native.completion_event(pointer))
      end
      freeze
    end

    # @return [Boolean] whether the request has ended
    def done?
      @is_done
    end

    # Return the response or the embeddings of an ended request, or raise its error.
    #
    # @return [Response, Embeddings, nil] nil for an event
    # @raise [Error]
    def value
      raise error if error

      embeddings || response
    end
  end
end
