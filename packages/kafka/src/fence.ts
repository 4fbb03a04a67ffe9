/**
 * No attempt, produce or move starts unless a heartbeat that was *sent* within the last session time-out less the
 * margin has been answered well. (When the answer is seen says nothing: after a SIGSTOP it waits in the socket.)
 */
export const FENCE_MARGIN_MS = 3_000;

export function isWithinFence(
  lastHeartbeatSentMs: number | null,
  nowMs: number,
  sessionTimeoutMs: number,
): boolean {
  return lastHeartbeatSentMs !== null && nowMs - lastHeartbeatSentMs < sessionTimeoutMs - FENCE_MARGIN_MS;
}
