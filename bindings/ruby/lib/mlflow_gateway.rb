# frozen_string_literal: true

require "ffi"
require "io/wait"
require "json"

# Calls MLflow AI gateways, Databricks, and OpenAI-compatible servers:
#
#     client = MlflowGateway::Client.new(route: "chat", uri: "http://127.0.0.1:5000")
#     puts client.complete("The capital of France is").text
#
# {Client} makes calls, {Queue} many at once, and {Error} is the root of the errors.
module MlflowGateway
end

require_relative "mlflow_gateway/version"
require_relative "mlflow_gateway/library"
require_relative "mlflow_gateway/native"
require_relative "mlflow_gateway/strings"
require_relative "mlflow_gateway/pointers"
require_relative "mlflow_gateway/errors"
require_relative "mlflow_gateway/values"
require_relative "mlflow_gateway/media"
require_relative "mlflow_gateway/response"
require_relative "mlflow_gateway/event"
require_relative "mlflow_gateway/embeddings"
require_relative "mlflow_gateway/routes"
require_relative "mlflow_gateway/logging"
require_relative "mlflow_gateway/handle"
require_relative "mlflow_gateway/params"
require_relative "mlflow_gateway/request"
require_relative "mlflow_gateway/lane"
require_relative "mlflow_gateway/lanes"
require_relative "mlflow_gateway/lookup"
require_relative "mlflow_gateway/completion"
require_relative "mlflow_gateway/queue"
require_relative "mlflow_gateway/client"
