# frozen_string_literal: true

module MlflowGateway
  # Objects of the C library. The garbage collector destroys those that were not freed.
  #
  # FFI::AutoPointer is not used: it destroys an object a second time after a signal interrupted its #free, and after an
  # attempt to copy it, as when a {Response} is passed to a Ractor.
  #
  # @api private
  module Pointers
    # Destroys what is in a slot, once. It is created before a C function writes to the slot, so that an object is
    # destroyed wherever its creation is interrupted.
    class Owner
      # @return [FFI::MemoryPointer] where the object is
      attr_reader :slot

      # @param destroy [Symbol] the function that destroys the object
      def initialize(destroy)
        @destroy = destroy
        @slot = FFI::MemoryPointer.new(:pointer)
        ObjectSpace.define_finalizer(self, Owner.finalizer(destroy, @slot))
      end

      # Destroy the object.
      #
      # @return [void]
      def release
        Owner.release(@destroy, @slot)
      end

      # Destroy what is in a slot.
      #
      # @return [void]
      def self.release(destroy, slot)
        pointer = slot.read_pointer
        slot.put_pointer(0, nil)
        Native.public_send(destroy, pointer)
      end

      # Return what the garbage collector calls. A method of the class, so that it does not refer to the owner.
      #
      # @return [Proc]
      def self.finalizer(destroy, slot)
        ->(_) { release(destroy, slot) }
      end
    end

    # The base of all classes.
    class Owned < FFI::Pointer
      class << self
        # @return [Symbol] the function that destroys the object
        attr_reader :destroy

        # Define a class of pointers.
        #
        # @return [Class]
        def destroyed_by(function)
          Class.new(self) { @destroy = function }
        end

        # Yield a slot to which a C function writes the object, and return the object.
        #
        # @yieldparam slot [FFI::MemoryPointer]
        # @return [Owned]
        def create
          owner = Owner.new(destroy)
          yield owner.slot
          new(owner)
        end

        # Return a pointer to an object.
        #
        # @param pointer [FFI::Pointer]
        # @return [Owned]
        def take(pointer)
          create { |slot| slot.put_pointer(0, pointer) }
        end
      end

      # @param owner [Owner]
      def initialize(owner)
        super(owner.slot.read_pointer)
        @owner = owner
      end

      # Destroy the object. More than once is not an error.
      def free
        Native.uninterrupted { @owner.release }
      end
    end

    # A handle.
    Gateway = Owned.destroyed_by(:destroy)
    # A cancel token.
    CancelToken = Owned.destroyed_by(:cancel_token_destroy)
    # An error.
    Error = Owned.destroyed_by(:error_destroy)
    # A queue.
    Queue = Owned.destroyed_by(:queue_destroy)
    # A response.
    Response = Owned.destroyed_by(:response_destroy)
    # Routes.
    Routes = Owned.destroyed_by(:routes_destroy)
    # A request.
    Request = Owned.destroyed_by(:request_destroy)
    # A string.
    Text = Owned.destroyed_by(:string_free)
  end
end
