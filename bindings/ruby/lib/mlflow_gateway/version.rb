# frozen_string_literal: true

module MlflowGateway
  # The version of this gem. It works with the C library of the same minor version.
  VERSION = "0.2.0"
end
