# frozen_string_literal: true

require "mlflow_gateway"
require "optparse"

# What the examples share: options, and an exit status that shows why a request failed.
module Program
  USAGE = 2
  STATUSES = { 1..19 => USAGE, 20..39 => 3, 40..59 => 4, 60..79 => 5, 80..99 => 6 }.freeze
  EXIT_STATUS = <<~TEXT
    exit status: 0 success, 1 output error, 2 usage error, 3 connection failed or
    timed out, 4 refused by the gateway or the model provider, 5 invalid response,
    6 internal error
  TEXT

  # Parses ARGV. Yields the OptionParser, and returns the values of the options with what follows them.
  def self.options(arguments, description, **defaults)
    values = { uri: nil }.merge(defaults)
    parser = OptionParser.new("usage: #{name} [options] #{arguments}\n\n#{description}\n")
    parser.on("-u", "--uri URI", "gateway URI; default: $MLFLOW_GATEWAY_URI,",
              "$MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI") { |uri| values[:uri] = uri }
    parser.on("-r", "--route ROUTE", "route; default: #{values[:route]}") { |route| values[:route] = route }
    yield parser, values
    parser.separator("\n#{EXIT_STATUS}")
    [values, parser.order(ARGV)]
  rescue OptionParser::ParseError => e
    usage(e.message)
  end

  # Ends the program with a usage error.
  def self.usage(message)
    warn("#{name}: #{message}\nTry '#{name} --help' for more information.")
    exit(USAGE)
  end

  # Runs the program. Errors end it with a message and their exit status.
  def self.run
    yield
    $stdout.flush
  rescue MlflowGateway::Error => e
    warn("#{name}: #{e.message}")
    exit(status(e))
  rescue Errno::ENOSPC, Errno::EPIPE, Errno::EIO => e
    warn("#{name}: cannot write to standard output: #{e.message}")
    exit!(1)
  end

  # The exit status of an error.
  def self.status(error)
    STATUSES.find { |range, _| range.cover?(error.status) }.last
  end

  def self.name
    File.basename($PROGRAM_NAME, ".rb")
  end
end
