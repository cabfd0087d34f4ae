# frozen_string_literal: true

module MlflowGateway
  # A route of a gateway. `type` is "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings" or another one, nil if not
  # reported. `json` is everything that the gateway reports.
  Route = Struct.new(:name, :type, :provider, :model, :url, :json) do
    # Read all routes of a list.
    #
    # @api private
    def self.read(pointer)
      Array.new(Native.routes_count(pointer)) do |at|
        strings = %i[routes_name routes_type routes_provider routes_model routes_url].map do |function|
          Strings.text(Native.public_send(function, pointer, at))
        end
        new(*strings, Strings.bytes(:routes_json, pointer, at)).freeze
      end.freeze
    end
  end
end
