# frozen_string_literal: true

module MlflowGateway
  # Why a call failed. There is one subclass for each status of the C library, below one for each group of them.
  class Error < StandardError
    # @return [Integer] the status, the number of the C library
    attr_reader :status
    # @return [Integer, nil] the HTTP status; nil without a response, 200 for a stream that failed later
    attr_reader :http_status
    # @return [String, nil] the error code of the gateway or the model provider
    attr_reader :gateway_code
    # @return [Float, nil] how many seconds the gateway asks to wait
    attr_reader :retry_after
    # @return [Integer] how many times the request was sent
    attr_reader :attempts
    # @return [Array<String>] why each retry was made
    attr_reader :retry_reasons
    # @return [String, nil] the body of the response, or the failed event of a stream, at most 64 KiB
    attr_reader :body
    # @return [Response, nil] what a stream had brought
    attr_reader :response

    # Create an error.
    #
    # @param message [String]
    # @param status [Integer]
    # @api private
    def initialize(message = nil, status: self.class.default_status, native: nil, response: nil)
      super(message)
      @status = status
      @native = native
      @response = response
      read(native)
    end

    # Return whether the same request may succeed later. The library has made its own retries by then.
    def retryable?
      @is_retryable
    end

    # Return the name of the status in the C library.
    #
    # @return [String] for example "MLFLOW_GATEWAY_TIMEOUT"
    def status_name
      Strings.text(Native.status_name(status))
    end

    # Return the first response header of that name.
    #
    # @param name [String] case-insensitive
    # @return [String, nil] nil also after Marshal.load
    def header(name)
      @native && Strings.text(Native.error_header(@native, Strings.utf8(name)))
    end

    # Return what Marshal stores: all but the headers, and the response of a stream.
    #
    # @return [String]
    # @api private
    def _dump(_depth)
      Marshal.dump([message, backtrace, status, http_status, gateway_code, retry_after, attempts, retry_reasons,
                    retryable?, body])
    end

    private

    def restore(values)
      message, backtrace, @status, @http_status, @gateway_code, @retry_after, @attempts, @retry_reasons,
        @is_retryable, @body = values
      Exception.instance_method(:initialize).bind_call(self, message)
      set_backtrace(backtrace)
    end

    def read(native)
      status = native ? Native.error_http_status(native) : 0
      @http_status = status.zero? ? nil : status
      @gateway_code = native && Strings.text(Native.error_gateway_code(native))
      after = native ? Native.error_retry_after_ms(native) : -1
      @retry_after = after.negative? ? nil : after / 1000.0
      @attempts = native ? Native.error_attempts(native) : 0
      reasons = native ? Native.error_retry_count(native) : 0
      @retry_reasons = Array.new(reasons) { |at| Strings.text(Native.error_retry_reason(native, at)) }.freeze
      @is_retryable = native ? Native.error_is_retryable(native) == 1 : false
      @body = native && Strings.bytes(:error_body, native)
    end

    class << self
      # Return the status of this class, 0 if it stands for a group.
      #
      # @return [Integer]
      # @api private
      def default_status
        @default_status || (self == Error ? 0 : superclass.default_status)
      end

      # Return the error that {#_dump} stored.
      #
      # @return [Error]
      # @api private
      def _load(data)
        allocate.tap { |error| error.send(:restore, Marshal.load(data)) } # rubocop:disable Security/MarshalLoad
      end

      # Return the error of a C object, which it takes.
      #
      # @param pointer [FFI::Pointer]
      # @param response [Response, nil]
      # @return [Error]
      # @api private
      def take(pointer, response = nil)
        native = Pointers::Error.take(pointer)
        status = Native.error_status(native)
        message = Strings.text(Native.error_message(native))
        of_status(status).new(message, status: status, native: native, response: response)
      end

      # Return the class of a status.
      #
      # @param status [Integer]
      # @return [Class]
      # @api private
      def of_status(status)
        BY_STATUS.fetch(status) { GROUPS.find { |range, _| range.cover?(status) }&.last || Error }
      end

      # Define a subclass.
      #
      # @api private
      def with_status(status)
        Class.new(self) { @default_status = status }
      end
    end
  end

  # Error of the caller; nothing was sent.
  class CallerError < Error; end
  # The connection failed or timed out.
  class TransportError < Error; end
  # Refused by the gateway or the model provider.
  class RefusedError < Error; end
  # The response is invalid or incomplete.
  class ResponseError < Error; end
  # A fault of the library.
  class LibraryError < Error; end

  # An argument is not valid, or does not fit the request.
  InvalidArgumentError = CallerError.with_status(1)
  # The gateway URI is malformed, has an unsupported scheme, or contains credentials or a query.
  InvalidURIError = CallerError.with_status(2)
  # Neither an argument nor the environment names a gateway or a Databricks workspace.
  NoGatewayURIError = CallerError.with_status(3)
  # No option has that name, or a request does not accept it.
  UnknownOptionError = CallerError.with_status(4)
  # The option does not accept that value.
  InvalidOptionValueError = CallerError.with_status(5)
  # The name of a parameter is reserved, or its value is not valid.
  InvalidParamError = CallerError.with_status(6)
  # Credentials would be sent unencrypted to another machine.
  InsecureAuthError = CallerError.with_status(8)
  # A client or a queue was used after it was closed.
  class ClosedError < InvalidArgumentError; end
  # The queue holds max_queued requests that wait.
  QueueFullError = CallerError.with_status(103)

  # The host name has no address.
  ResolveFailedError = TransportError.with_status(20)
  # No connection: refused or unreachable.
  ConnectFailedError = TransportError.with_status(21)
  # No TLS connection: the certificate is not trusted, or the server does not speak TLS.
  TLSFailedError = TransportError.with_status(22)
  # The connection broke before the response was complete.
  ConnectionLostError = TransportError.with_status(23)
  # A deadline expired. The message names its option.
  TimeoutError = TransportError.with_status(24)
  # The request of a queue was cancelled.
  CancelledError = TransportError.with_status(25)
  # The proxy is unusable or refused.
  ProxyFailedError = TransportError.with_status(26)

  # HTTP 400 or 422: the gateway rejected the request.
  BadRequestError = RefusedError.with_status(40)
  # HTTP 401: credentials are missing or wrong.
  UnauthorizedError = RefusedError.with_status(41)
  # HTTP 403: the credentials do not permit this.
  ForbiddenError = RefusedError.with_status(42)
  # HTTP 404 or 405: no such route, or no gateway at that URI.
  NotFoundError = RefusedError.with_status(43)
  # HTTP 429: too many requests.
  RateLimitedError = RefusedError.with_status(44)
  # HTTP 429: the budget is exhausted.
  BudgetExceededError = RefusedError.with_status(45)
  # HTTP 400: a guardrail blocked the request or the response.
  GuardrailBlockedError = RefusedError.with_status(46)
  # HTTP 500 to 599 except 501: the gateway or the model provider failed.
  ServerError = RefusedError.with_status(47)
  # Any other HTTP status that is not a success.
  HTTPError = RefusedError.with_status(48)
  # The gateway or the route does not support this.
  UnsupportedError = RefusedError.with_status(49)

  # The response is not JSON, or not the JSON of such a response.
  BadResponseError = ResponseError.with_status(60)
  # The response has no candidates.
  NoCandidatesError = ResponseError.with_status(61)
  # A response exceeds a limit of its size.
  ResponseTooLargeError = ResponseError.with_status(62)
  # The stream ended before the response was complete.
  StreamTruncatedError = ResponseError.with_status(63)
  # The gateway reported an error within the stream.
  StreamError = ResponseError.with_status(64)
  # The first candidate has no text. {Response#text!} raises it.
  NoTextError = ResponseError.with_status(65)

  # A fault in the library, which was caught.
  PanicError = LibraryError.with_status(80)
  # No memory for the result.
  OutOfMemoryError = LibraryError.with_status(81)
  # Any other fault in the library.
  InternalError = LibraryError.with_status(82)

  class Error
    # The classes by their statuses.
    BY_STATUS = [
      InvalidArgumentError, InvalidURIError, NoGatewayURIError, UnknownOptionError, InvalidOptionValueError,
      InvalidParamError, InsecureAuthError, ResolveFailedError, ConnectFailedError, TLSFailedError,
      ConnectionLostError, TimeoutError, CancelledError, ProxyFailedError, BadRequestError, UnauthorizedError,
      ForbiddenError, NotFoundError, RateLimitedError, BudgetExceededError, GuardrailBlockedError, ServerError,
      HTTPError, UnsupportedError, BadResponseError, NoCandidatesError, ResponseTooLargeError, StreamTruncatedError,
      StreamError, NoTextError, PanicError, OutOfMemoryError, InternalError
    ].to_h { |type| [type.default_status, type] }.freeze

    # The classes of statuses that a later version of the library may add.
    GROUPS = {
      1..19 => CallerError, 20..39 => TransportError, 40..59 => RefusedError, 60..79 => ResponseError,
      80..99 => LibraryError
    }.freeze
  end
end
