# frozen_string_literal: true

module MlflowGateway
  # An image or a recording, a part of the content of a message.
  class Media
    # Media types by the suffix of a file.
    TYPES = {
      ".gif" => "image/gif", ".jpeg" => "image/jpeg", ".jpg" => "image/jpeg", ".mp3" => "audio/mpeg",
      ".png" => "image/png", ".wav" => "audio/wav", ".webp" => "image/webp"
    }.freeze

    # @return [String] the media type, for example "image/png"
    attr_reader :type
    # @return [String] the content of the file
    attr_reader :bytes

    # @param type [String] the media type: "image/..." or "audio/..."
    # @param bytes [String] the content of the file
    def initialize(type, bytes)
      @type = -type
      @bytes = bytes.b.freeze
      freeze
    end

    # Refuse to become a part of other JSON, in which it would be a string that describes it.
    #
    # @raise [TypeError]
    def to_json(*)
      raise TypeError, "a Media must be the content of a message of the user, or be next to strings in its content: " \
                       '{ role: "user", content: ["What is this?", media] }'
    end

    # @return [String] a short description
    def inspect
      "#<#{self.class} #{type}, #{bytes.bytesize} bytes>"
    end

    # Read a file.
    #
    # @param path [String]
    # @return [Media]
    # @raise [InvalidArgumentError] if the suffix is not that of an image or a recording
    def self.file(path)
      type = TYPES[File.extname(path).downcase]
      raise InvalidArgumentError, "#{path}: must end in #{TYPES.keys.join(', ')}" unless type

      new(type, File.binread(path))
    end
  end
end
