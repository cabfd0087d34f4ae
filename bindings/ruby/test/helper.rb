# frozen_string_literal: true

require "json"
require "minitest/autorun"
require "timeout"
require "mlflow_gateway"

# What the tests share. tests/test_ruby.py starts the servers and passes their URLs.
module Helper
  # Obeys the first word of the prompt.
  COMMANDED = ENV.fetch("COMMANDED_URL")
  # Responds with the body and the headers of the request.
  ECHO = ENV.fetch("ECHO_URL")
  # Obeys, too; for very many calls.
  FAST = ENV.fetch("FAST_URL")
  # Runs tools.
  MODEL = ENV.fetch("MODEL_URL")
  # Does not accept connections.
  UNREACHABLE = ENV.fetch("UNREACHABLE_URL")
  # Refuses connections.
  REFUSED = ENV.fetch("REFUSED_URL")
  # Has a host name that is not resolved for a long time.
  UNRESOLVED = ENV.fetch("UNRESOLVED_URL")

  def client(route: "r", uri: COMMANDED, **options)
    @clients ||= []
    @clients << MlflowGateway::Client.new(route: route, uri: uri, max_retries: 0, **options)
    @clients.last
  end

  def teardown
    @clients&.each(&:close)
    super
  end

  def seconds
    start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
  end

  # The lowest of a few measurements: a busy machine is sometimes late, a fault each time.
  def least(count = 3, &block)
    Array.new(count, &block).min
  end

  def descriptors
    Dir.children("/proc/self/fd").size
  end

  def threads
    Dir.children("/proc/self/task").size
  end

  def resident_kib
    File.read("/proc/self/status")[/VmRSS:\s+(\d+)/, 1].to_i
  end

  def assert_eventually(message)
    200.times do
      return if yield

      sleep 0.05
    end
    flunk message
  end

  # Runs a Ruby program, and returns its status and output.
  def ruby(program, *arguments)
    read, write = IO.pipe
    process = spawn(RbConfig.ruby, "-W", "-I#{File.expand_path('../lib', __dir__)}", "-e", program, *arguments,
                    out: write, err: write)
    write.close
    output = read.read
    [Process.wait2(process).last, output]
  end
end
