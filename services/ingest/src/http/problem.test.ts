import { describe, expect, it } from 'vitest';
import { invalidRequest, MAX_FAULTS, PROBLEMS, problem, renderProblem } from './problem.ts';

describe('the catalogue of errors', () => {
  it('has a title for each code alone', () => {
    const titles = Object.values(PROBLEMS).map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe('a problem document', () => {
  it('has the members of RFC 9457, the code, and what the code documents', () => {
    const rendered = renderProblem(
      problem('event_quota_exceeded', 'too fast', { members: { limit: 5 } }),
      'req_1',
    );
    expect(JSON.parse(rendered)).toEqual({
      type: 'urn:posthorn:problem:event_quota_exceeded',
      title: PROBLEMS.event_quota_exceeded.title,
      status: 429,
      code: 'event_quota_exceeded',
      detail: 'too fast',
      limit: 5,
      request_id: 'req_1',
    });
  });

  it('lists faults up to a bound and says when there are more', () => {
    const faults = Array.from({ length: MAX_FAULTS + 20 }, (_, n) => ({ pointer: `/${n}`, detail: 'x' }));
    const { detail, errors } = invalidRequest(faults);
    expect(errors).toHaveLength(MAX_FAULTS);
    expect(detail).toContain(String(MAX_FAULTS + 20));
    expect(invalidRequest(faults.slice(0, 1)).detail).toBe('1 fault');
  });
});
