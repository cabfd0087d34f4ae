# frozen_string_literal: true

module MlflowGateway
  # Makes calls to a gateway. Any number of threads and fibers may share it, and a forked process may use that of its
  # parent.
  #
  #     client = MlflowGateway::Client.new(route: "chat", uri: "http://127.0.0.1:5000", timeout_ms: 60_000)
  #     puts client.chat("What is the capital of France?", max_tokens: 8).text
  #     client.stream("Tell me a story.") { |event| print event }
  #
  # Each call waits without the interpreter's lock. Timeout.timeout, Thread#raise and Ctrl-C end it at once, and with a
  # Fiber scheduler only its fiber waits.
  class Client
    # Create a client. Nothing is sent before the first call.
    #
    # @param route [String, nil] the name of a route; if nil, each call names its own
    # @param uri [String, URI, nil] the gateway URI, "openai", "databricks", "databricks://PROFILE", or nil for that of
    #   the environment
    # @param params [Hash{Symbol => Object}] parameters of the model, for all calls
    # @param headers [Hash{String => String}] headers that every request carries
    # @param logger [Logger, nil] gets one line for each HTTP attempt. Its level is read once. Lines are logged on the
    #   thread that makes the call
    # @param options [Hash{Symbol => Object}] options of the C library, for example `timeout_ms: 60_000`; nil stands
    #   for the default. docs/options.md describes them
    # @raise [CallerError]
    def initialize(route: nil, uri: nil, params: {}, headers: {}, logger: nil, **options)
      @handle = Handle.new(route, uri, params: params, headers: headers, logger: logger, options: options)
      @lanes = Lanes.new(@handle)
    end

    # Send a prompt. The route may be of the type completions or chat.
    #
    # @param prompt [String]
    # @param route [String, nil] in place of the client's
    # @param headers [Hash{String => String}, nil] for this call
    # @param options [Hash{Symbol => Object}, nil] options of the C library for this call
    # @param params [Hash{Symbol => Object}] parameters of the model; one that is nil is left out, even if the client
    #   sets it
    # @return [Response]
    # @raise [Error]
    def complete(prompt, route: nil, headers: nil, options: nil, **params)
      call(Native::SEND, Request::Contents.new(prompt: prompt, route: route, headers: headers, options: options,
                                               params: params))
    end

    # Send messages. The route must be of the type chat.
    #
    # A message is one of:
    # - a String, a message of the user
    # - a Hash with `role` and `content`. The content of a message of the user may be an Array of Strings and {Media}
    # - a {Response} or a {Candidate}, to continue the conversation; it is sent as received
    # - the {ToolCall#result} of a tool call
    # - any other Hash, sent as JSON
    #
    # @param messages [Array, String, Hash] messages, or one message
    # @param params (see #complete)
    # @option params [Array<Hash>] :tools the tools that the model may call, each with the JSON Schema of its arguments
    # @return [Response]
    # @raise [Error]
    def chat(messages, route: nil, headers: nil, options: nil, **params)
      call(Native::SEND, Request::Contents.new(messages: messages, route: route, headers: headers, options: options,
                                               params: params))
    end

    # Stream the response to messages, as for {#chat}. A String is a prompt: the route may also be of the type
    # completions. If the block ends by break or an exception, the request is cancelled.
    #
    # @param messages (see #chat)
    # @param params (see #complete)
    # @yieldparam event [Event]
    # @return [Response] what was gathered
    # @return [Enumerator] without a block; each iteration sends the request
    # @raise [Error] {Error#response} is what had been gathered
    def stream(messages, route: nil, headers: nil, options: nil, **params, &block)
      unless block
        return Enumerator.new do |events|
          stream(messages, route: route, headers: headers, options: options, **params) { |event| events << event }
        end
      end

      contents = Request::Contents.new(route: route, headers: headers, options: options, params: params)
      messages.is_a?(String) ? contents.prompt = messages : contents.messages = messages
      call(Native::STREAM, contents, &block)
    end

    # Create embeddings of one or more strings, in batches.
    #
    # @param inputs [Array<String>, String]
    # @param params (see #complete)
    # @return [Embeddings]
    # @raise [Error]
    def embed(inputs, route: nil, headers: nil, options: nil, **params)
      call(Native::EMBED, Request::Contents.new(inputs: inputs, route: route, headers: headers, options: options,
                                                params: params))
    end

    # Send a request to any path below the gateway URI, for example "/gateway/anthropic/v1/messages", and return the
    # response as it is. With a block, stream it: each payload is an event of the kind :other.
    #
    # @param path [String] percent-encoded, may have a query
    # @param body [String, Hash, nil] a String is sent byte for byte, anything else as JSON
    # @param method [String, Symbol, nil] an HTTP method; nil means POST with a body, else GET
    # @param headers (see #complete)
    # @param options (see #complete)
    # @return [Response]
    # @raise [Error]
    def raw(path, body: nil, method: nil, headers: nil, options: nil, &block)
      contents = Request::Contents.new(path: path, verb: method, body: body, headers: headers, options: options)
      call(block ? Native::STREAM : Native::SEND, contents, &block)
    end

    # List the routes of the gateway.
    #
    # @return [Array<Route>]
    # @raise [Error]
    def routes
      look_up { |gateway| Route.read(Native.make(:list_routes, Pointers::Routes, gateway)) }
    end

    # Look up one route.
    #
    # @param name [String, nil] nil for the client's route
    # @return [Route]
    # @raise [Error]
    def route(name = nil)
      name = Strings.utf8(name) if name
      look_up { |gateway| Route.read(Native.make(:get_route, Pointers::Routes, gateway, name)).first }
    end

    # Check the health of the gateway.
    #
    # @return [true]
    # @raise [Error] if it is not healthy
    def health
      look_up { |gateway| Native.call(:health, gateway) }
      true
    end

    # Get the rate limits of a route. Databricks supports them.
    #
    # @param name [String, nil] nil for the client's route
    # @return [Object] the server's JSON
    # @raise [Error]
    def limits(name = nil)
      json(:get_limits, name && Strings.utf8(name))
    end

    # Replace the rate limits of a route.
    #
    # @param limits [Array<Hash>] for example `[{calls: 10, key: "user", renewal_period: "minute"}]`
    # @param name [String, nil] nil for the client's route
    # @return [Object] the server's JSON
    # @raise [Error]
    def set_limits(limits, name = nil)
      json(:set_limits, name && Strings.utf8(name), JSON.generate(limits))
    end

    # Create a route. Databricks supports it.
    #
    # @param route [Hash] as the server documents it
    # @return [Object] the server's JSON
    # @raise [Error]
    def create_route(route)
      json(:create_route, JSON.generate(route))
    end

    # Delete a route. Databricks supports it.
    #
    # @param name [String]
    # @return [void]
    # @raise [Error]
    def delete_route(name)
      name = Strings.utf8(name)
      look_up { |gateway| Native.call(:delete_route, gateway, name) }
    end

    # Return what identifies the configured model: the URI, the route and the parameters. It contains no credentials.
    #
    # @return [Hash{String => Object}]
    def identifying_params
      @handle.use { |gateway| JSON.parse(Client.read_text(:identifying_params, gateway)) }
    end

    # Create a queue, which sends many requests at once. With a block, it ends with the block.
    #
    # @param options [Hash{Symbol => Object}] max_in_flight, max_queued, max_events, requests_per_second,
    #   tokens_per_minute, adaptive
    # @yieldparam queue [Queue]
    # @return [Queue] or what the block returns
    # @raise [CallerError]
    def queue(**options)
      queue = Queue.new(@handle, options)
      return queue unless block_given?

      begin
        yield queue
      ensure
        queue.abort
      end
    end

    # Close the connections. Calls that run continue; later ones raise a {ClosedError}.
    #
    # @return [void]
    def close
      @handle.close
      @lanes.close
    end

    # @return [Boolean] whether it is closed
    def closed?
      @handle.closed?
    end

    # @return [String] a short description, without credentials
    def inspect
      return "#<#{self.class} closed>" if closed?

      named = identifying_params
      "#<#{self.class} route=#{named['route'].inspect} uri=#{named['gateway_uri'].inspect}>"
    end

    # Return what a request consists of.
    #
    # @return [Request::Contents]
    # @api private
    def self.contents(method: nil, **others)
      named = others.slice(:prompt, :messages, :inputs, :path, :body, :route, :headers, :options)
      Request::Contents.new(verb: method, params: others.except(*named.keys), **named)
    end

    # Call a C function that returns a string which the caller frees.
    #
    # @return [String]
    # @api private
    def self.read_text(name, *arguments)
      Native.uninterrupted do
        slot = FFI::MemoryPointer.new(:pointer)
        length = FFI::MemoryPointer.new(:size_t)
        Native.call(name, *arguments, slot, length)
        text = Pointers::Text.take(slot.read_pointer)
        text.read_bytes(length.read(:size_t)).force_encoding(Encoding::UTF_8)
      end
    end

    private

    def call(how, contents, &block)
      raise ClosedError, "the client is closed" if @handle.closed?

      @lanes.use { |lane| lane.call(contents, how, &block) }
    end

    def look_up(&block)
      Lookup.new(@handle).call(&block)
    end

    def json(name, *arguments)
      look_up { |gateway| JSON.parse(Client.read_text(name, gateway, *arguments)) }
    end
  end
end
