# frozen_string_literal: true

require "mlflow_gateway"

# Without uri: use the gateway URI from the environment variable MLFLOW_GATEWAY_URI.
client = MlflowGateway::Client.new(route: "completions", params: { max_tokens: 8 })
puts client.complete("The capital of France is").text!
