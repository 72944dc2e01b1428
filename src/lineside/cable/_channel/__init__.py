"""What an app writes: channels, their actions, callbacks and timers."""
