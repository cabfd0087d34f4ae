# frozen_string_literal: true

module MlflowGateway
  # The lanes of a client that make no call at the moment.
  #
  # @api private
  class Lanes
    # How many are kept. Each has a thread and two descriptors.
    MAX_IDLE = 16

    # @param handle [Handle]
    def initialize(handle)
      @handle = handle
      @lock = Mutex.new
      @idle = []
      @process = Process.pid
    end

    # Yield a lane that no other thread uses.
    def use
      lane = take
      begin
        result = yield lane
        if lane.clean?
          finished = lane
          # From here on, an interruption must not destroy the lane, because another thread may have it.
          lane = nil
          give(finished)
        end
        result
      ensure
        lane&.destroy
      end
    end

    # Destroy the idle lanes.
    def close
      @lock.synchronize { @idle.shift(@idle.size) }.each(&:destroy)
    end

    private

    def take
      lane = @lock.synchronize do
        forget_those_of_the_parent
        @idle.pop
      end
      lane || Native.uninterrupted { Lane.new(@handle) }
    end

    def give(lane)
      kept = @lock.synchronize { @idle.push(lane) if @idle.size < MAX_IDLE && !@handle.closed? }
      lane.destroy unless kept
    end

    # A queue belongs to the process that created it. The garbage collector destroys them.
    def forget_those_of_the_parent
      return if @process == Process.pid

      @process = Process.pid
      @idle = []
    end
  end
end
