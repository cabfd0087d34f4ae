# frozen_string_literal: true

require_relative "lib/mlflow_gateway/version"

# With MLFLOW_GATEWAY_PLATFORM, for example "x86_64-linux", it is a binary gem with the library in it:
# packaging/gem of the repository builds it.
Gem::Specification.new do |spec|
  spec.name = "mlflow_gateway"
  spec.version = MlflowGateway::VERSION
  spec.summary = "Client of MLflow AI gateways, Databricks, and OpenAI-compatible servers"
  spec.description = "Completions, chat, streaming, tool calls, embeddings and queues, for threads and fibers. " \
                     "Timeout and Ctrl-C end any call at once. It binds the C library with the ffi gem."
  spec.authors = ["mlflow-ai-gateway maintainers"]
  spec.licenses = ["MIT", "Apache-2.0"]
  spec.required_ruby_version = ">= 3.0"
  spec.platform = ENV.fetch("MLFLOW_GATEWAY_PLATFORM", Gem::Platform::RUBY)
  spec.files = Dir.glob(%w[.yardopts README.md LICENSE-* docs/* lib/**/* sig/* examples/*], base: __dir__)
  spec.metadata = { "rubygems_mfa_required" => "true" }
  spec.add_dependency "ffi", "~> 1.15"
end
