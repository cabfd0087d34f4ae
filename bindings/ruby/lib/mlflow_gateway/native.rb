# frozen_string_literal: true

module MlflowGateway
  # The functions of the C library, without their prefix `mlflow_gateway_`. The header of the library documents them.
  #
  # @api private
  module Native
    extend FFI::Library

    begin
      ffi_lib Library.find
    rescue LoadError => e
      raise LoadError, Library.missing(e.message)
    end

    attach_function(:version, "mlflow_gateway_version", [], :string)
    Library.check(version)

    # Types of arguments that have a length: strings are passed without a copy.
    BYTES = %i[buffer_in size_t].freeze

    # Attach functions with the same result.
    #
    # @param result [Symbol] the type of the result
    # @param functions [Hash{Symbol => Array<Symbol>}] the types of the arguments, by name
    # @param options [Hash] options of attach_function
    # @return [void]
    def self.attach(result, functions, **options)
      functions.each { |name, arguments| attach_function(name, "mlflow_gateway_#{name}", arguments, result, options) }
    end

    callback :on_log, %i[int32 pointer size_t pointer], :void
    callback :on_destroy, %i[pointer], :void

    attach :void, {
      string_free: %i[pointer], queue_destroy: %i[pointer], error_destroy: %i[pointer], destroy: %i[pointer],
      request_destroy: %i[pointer], response_destroy: %i[pointer], completion_destroy: %i[pointer],
      routes_destroy: %i[pointer], queue_close: %i[pointer], cancel: %i[pointer], cancel_token_destroy: %i[pointer]
    }

    # Functions that return a status.
    attach :int32, {
      create: %i[string string pointer pointer],
      clone: %i[pointer pointer pointer],
      set_option: %i[pointer string string pointer],
      set_header: %i[pointer string string pointer],
      set_cancel_token: %i[pointer pointer pointer],
      set_param_double: %i[pointer string double pointer],
      set_param_int: %i[pointer string int64 pointer],
      set_param_bool: %i[pointer string int pointer],
      set_param_string: %i[pointer string string pointer],
      set_param_json: %i[pointer string string pointer],
      set_log: %i[pointer int32 on_log pointer on_destroy pointer],
      identifying_params: %i[pointer pointer pointer pointer],
      request_create: %i[pointer pointer],
      request_set_route: %i[pointer string pointer],
      request_set_path: %i[pointer string string pointer],
      request_set_prompt: [:pointer, *BYTES, :pointer],
      request_add_message: [:pointer, :string, *BYTES, :pointer],
      request_add_message_json: [:pointer, *BYTES, :pointer],
      request_add_text: [:pointer, *BYTES, :pointer],
      request_add_media: [:pointer, :string, *BYTES, :pointer],
      request_add_tool_result: [:pointer, :string, *BYTES, :pointer],
      request_add_input: [:pointer, *BYTES, :pointer],
      request_set_body_json: [:pointer, *BYTES, :pointer],
      request_set_param_double: %i[pointer string double pointer],
      request_set_param_int: %i[pointer string int64 pointer],
      request_set_param_bool: %i[pointer string int pointer],
      request_set_param_string: [:pointer, :string, *BYTES, :pointer],
      request_set_param_json: [:pointer, :string, *BYTES, :pointer],
      request_omit_param: %i[pointer string pointer],
      request_set_option: %i[pointer string string pointer],
      request_set_header: %i[pointer string string pointer],
      queue_create: %i[pointer pointer pointer],
      queue_set_option: %i[pointer string string pointer],
      queue_submit: %i[pointer pointer int32 uint64 pointer],
      queue_next: %i[pointer int64 pointer pointer],
      queue_fd: %i[pointer pointer pointer],
      cancel_token_create: %i[pointer pointer],
      error_status: %i[pointer]
    }

    # Functions that wait, with the interpreter's lock released.
    attach :int32, {
      list_routes: %i[pointer pointer pointer],
      get_route: %i[pointer string pointer pointer],
      health: %i[pointer pointer],
      get_limits: %i[pointer string pointer pointer pointer],
      set_limits: %i[pointer string string pointer pointer pointer],
      create_route: %i[pointer string pointer pointer pointer],
      delete_route: %i[pointer string pointer]
    }, blocking: true

    # Functions that return a string with a length, or an object. {Strings.bytes} reads the strings.
    attach :pointer, {
      error_body: %i[pointer pointer],
      response_text: %i[pointer size_t pointer],
      response_reasoning: %i[pointer size_t pointer],
      response_refusal: %i[pointer size_t pointer],
      response_tool_call_arguments: %i[pointer size_t size_t pointer],
      response_message_json: %i[pointer size_t pointer],
      response_body: %i[pointer pointer],
      event_text: %i[pointer pointer],
      event_raw_data: %i[pointer pointer],
      routes_json: %i[pointer size_t pointer],
      embeddings_data: %i[pointer],
      completion_event: %i[pointer],
      completion_take_response: %i[pointer],
      completion_embeddings: %i[pointer],
      completion_take_error: %i[pointer]
    }

    # Functions that return a NUL-terminated string. {Strings.text} reads it.
    attach :string, {
      status_name: %i[int32],
      error_message: %i[pointer],
      error_gateway_code: %i[pointer],
      error_retry_reason: %i[pointer size_t],
      error_header: %i[pointer string],
      response_role: %i[pointer size_t],
      response_finish_reason: %i[pointer size_t],
      response_tool_call_id: %i[pointer size_t size_t],
      response_tool_call_name: %i[pointer size_t size_t],
      response_id: %i[pointer],
      response_model: %i[pointer],
      response_header: %i[pointer string],
      response_retry_reason: %i[pointer size_t],
      event_tool_call_id: %i[pointer],
      event_tool_call_name: %i[pointer],
      event_raw_name: %i[pointer],
      embeddings_model: %i[pointer],
      routes_name: %i[pointer size_t],
      routes_type: %i[pointer size_t],
      routes_provider: %i[pointer size_t],
      routes_model: %i[pointer size_t],
      routes_url: %i[pointer size_t]
    }

    # Functions that return a number.
    attach :int32, {
      error_http_status: %i[pointer], error_is_retryable: %i[pointer], response_http_status: %i[pointer],
      event_kind: %i[pointer], completion_kind: %i[pointer]
    }
    attach :int64, {
      error_retry_after_ms: %i[pointer], response_tokens: %i[pointer int32], response_time_us: %i[pointer int32],
      event_tokens: %i[pointer int32], embeddings_tokens: %i[pointer int32]
    }
    attach :size_t, {
      error_attempts: %i[pointer], error_retry_count: %i[pointer], response_candidate_count: %i[pointer],
      response_tool_call_count: %i[pointer size_t], response_attempts: %i[pointer],
      response_retry_count: %i[pointer], event_candidate: %i[pointer], event_tool_call_index: %i[pointer],
      queue_count: %i[pointer int32], queue_cancel: %i[pointer uint64], embeddings_count: %i[pointer],
      embeddings_dimension: %i[pointer], routes_count: %i[pointer]
    }
    attach :uint64, { completion_tag: %i[pointer] }

    # Statuses.
    OK = 0
    # There is no completion yet.
    PENDING = 101
    # The queue is closed, and all completions were fetched.
    QUEUE_END = 102
    # The queue holds as many waiting requests as max_queued allows.
    QUEUE_FULL = 103

    # Ways to submit a request.
    SEND = 1
    # As a stream.
    STREAM = 2
    # For embeddings.
    EMBED = 3

    # The kind of a completion that ends a request.
    DONE = 2

    # For Thread.handle_interrupt: Timeout, Thread#raise and Thread#kill wait until a block has ended.
    UNINTERRUPTED = { Object => :never }.freeze

    # Run a block that Timeout, Thread#raise and Thread#kill do not interrupt. A signal still does: it may raise an
    # Interrupt in the main thread.
    #
    # @return [Object] what the block returns
    def self.uninterrupted(&block)
      Thread.handle_interrupt(UNINTERRUPTED, &block)
    end

    # Call a function that returns a status and has an error as its last argument.
    #
    # @param name [Symbol] the function
    # @param arguments [Array] all arguments except the error
    # @return [void]
    def self.call(name, *arguments)
      slot = FFI::MemoryPointer.new(:pointer)
      status = public_send(name, *arguments, slot)
      raise Error.take(slot.read_pointer) unless status == OK
    end

    # Call a function whose last arguments are an object and an error.
    #
    # @param name [Symbol] the function
    # @param type [Class] a class of {Pointers}
    # @param arguments [Array] all arguments except the object and the error
    # @return [FFI::Pointer] the object
    def self.make(name, type, *arguments)
      uninterrupted { type.create { |slot| call(name, *arguments, slot) } }
    end
  end
end
