# frozen_string_literal: true

module MlflowGateway
  # Finds the C library.
  module Library
    # The name by which programs load the C library.
    SONAME = "libmlflow_ai_gateway.so.0.2"

    # The environment variable that names the file of the library.
    VARIABLE = "MLFLOW_AI_GATEWAY_LIB"

    # Where a binary gem has it.
    IN_GEM = File.join(__dir__, SONAME)

    # Return the file that MLFLOW_AI_GATEWAY_LIB names, or that of the gem, or the name that the system resolves.
    #
    # @return [String]
    def self.find
      named = ENV.fetch(VARIABLE, "")
      return named unless named.empty?

      File.exist?(IN_GEM) ? IN_GEM : SONAME
    end

    # Return what to do if the library cannot be loaded.
    #
    # @param why [String]
    # @return [String]
    def self.missing(why)
      "#{why}\nmlflow_gateway needs the library mlflow-ai-gateway: install the gem for this platform, which contains " \
        "it, or install the library, or set #{VARIABLE} to its file"
    end

    # Check that the loaded library has the functions that this gem uses.
    #
    # @param version [String] the version of the loaded library
    # @return [void]
    def self.check(version)
      return if version.split(".").first(2) == VERSION.split(".").first(2)

      raise LoadError, "mlflow_gateway #{VERSION} needs version #{VERSION[/\d+\.\d+/]} of libmlflow_ai_gateway, but " \
                       "#{find} is version #{version}; set #{VARIABLE} to the right file"
    end
  end
end
