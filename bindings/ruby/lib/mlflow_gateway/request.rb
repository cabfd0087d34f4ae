# frozen_string_literal: true

module MlflowGateway
  # Writes a C request from Ruby's values.
  #
  # @api private
  class Request
    # What a request consists of besides its parameters.
    Contents = Struct.new(:prompt, :messages, :inputs, :path, :verb, :body, :route, :headers, :options, :params,
                          keyword_init: true)

    # @param pointer [FFI::Pointer] an empty C request
    # @param errors [FFI::Pointer] where the C library writes an error
    def initialize(pointer, errors)
      @pointer = pointer
      @errors = errors
    end

    # Write everything.
    #
    # @param contents [Contents]
    # @return [void]
    def write(contents)
      set(:request_set_route, Strings.utf8(contents.route)) if contents.route
      contents.options&.each { |name, value| named(:request_set_option, name, Strings.option(value)) }
      contents.headers&.each { |name, value| named(:request_set_header, name, value&.to_s) }
      write_contents(contents)
      contents.params&.each { |name, value| param(Strings.utf8(name), value) }
    end

    private

    # nil leaves the value of the client.
    def named(function, name, value)
      set(function, Strings.utf8(name), Strings.utf8(value)) if value
    end

    def write_contents(contents)
      text(:request_set_prompt, contents.prompt) if contents.prompt
      add_messages(contents.messages) if contents.messages
      Array(contents.inputs).each { |input| text(:request_add_input, input) } if contents.inputs
      set(:request_set_path, contents.verb&.to_s&.upcase, Strings.utf8(contents.path)) if contents.path
      text(:request_set_body_json, Strings.json(contents.body)) if contents.body
    end

    # A string is a message of the user.
    def add_messages(messages)
      messages = [messages] unless messages.is_a?(Array)
      messages.each { |message| add_message(message) }
    end

    def add_message(message)
      case message
      when String, Media then add_parts([message])
      when Candidate, Response then add_message_json(message)
      when Hash then add_hash(message.transform_keys(&:to_sym))
      else raise TypeError, "a message is a String, a Hash, a Media or a Response, not #{message.class}"
      end
    end

    def add_message_json(candidate)
      json = candidate.message_json
      raise InvalidArgumentError, "the response has no message, so it cannot be sent back" unless json

      text(:request_add_message_json, json)
    end

    def add_hash(message)
      case message
      in { role: "user" | :user, content: Media => media, **nil }
        add_parts([media])
      in { role: "user" | :user, content: Array => parts, **nil } if parts.none?(Hash)
        add_parts(parts)
      in { role: "tool" | :tool, content: String => content, **others } if (others.keys - [:tool_call_id]).empty?
        text(:request_add_tool_result, others[:tool_call_id], content)
      in { role: String | Symbol => role, content: String => content, **nil }
        text(:request_add_message, Strings.utf8(role), content)
      else
        text(:request_add_message_json, JSON.generate(message))
      end
    end

    # The library makes parts only if it must.
    def add_parts(parts)
      first, *others = parts
      first_text = first.is_a?(String) ? first : ""
      text(:request_add_message, "user", first_text)
      (first.is_a?(String) ? others : parts).each do |part|
        if part.is_a?(Media)
          set(:request_add_media, part.type, part.bytes, part.bytes.bytesize)
        else
          text(:request_add_text, part)
        end
      end
    end

    def param(name, value)
      return set(:request_omit_param, name) if value.nil?

      type, converted = Params.typed(value)
      function = :"request_set_param_#{type}"
      converted.is_a?(String) ? text(function, name, converted) : set(function, name, converted)
    end

    # Pass a string with its length as the last arguments.
    def text(function, *arguments, string)
      bytes = Strings.utf8(string)
      set(function, *arguments, bytes, bytes.bytesize)
    end

    def set(function, *arguments)
      status = Native.public_send(function, @pointer, *arguments, @errors)
      return if status == Native::OK

      error = @errors.read_pointer
      @errors.put_pointer(0, nil)
      raise Error.take(error)
    end
  end
end
