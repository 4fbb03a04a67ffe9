import kafkajs, { type Assigner, type GroupMember, type PartitionAssigner } from 'kafkajs';

/**
 * Keeps partitions where they are. Partition i of every topic of the group goes to the same member (a lane's side
 * topics belong to whoever has the lane), so what is dealt out are partition numbers.
 */

type Owned = Record<string, number[]>;

/** What a member tells the leader in its JoinGroup. A later version may add fields; unknown ones are passed over. */
interface UserData {
  readonly generation: number;
  readonly owned: Owned;
}

interface Claim {
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly userData: UserData;
}

const NAME = 'PosthornStickyAssigner';
const NOTHING_OWNED: UserData = { generation: -1, owned: {} };

export function stickyAssigner(describeSelf: () => UserData): PartitionAssigner {
  return ({ cluster }): Assigner => ({
    name: NAME,
    version: 0,
    protocol({ topics }) {
      const userData = Buffer.from(JSON.stringify(describeSelf()));
      return {
        name: NAME,
        metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData }),
      };
    },
    async assign({ members }) {
      const claims = members.map(readClaim);
      const topics = [...new Set(claims.flatMap((claim) => claim.topics))].sort();
      const partitions = new Map(
        topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).map((p) => p.partitionId)]),
      );
      return [...assignPartitions(claims, partitions)].map(([memberId, assignment]) => ({
        memberId,
        memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment,
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

function readClaim({ memberId, memberMetadata }: GroupMember): Claim {
  const metadata = kafkajs.AssignerProtocol.MemberMetadata.decode(memberMetadata);
  return { memberId, topics: metadata?.topics ?? [], userData: readUserData(metadata?.userData) };
}

function readUserData(bytes: Buffer | undefined): UserData {
  try {
    const { generation, owned } = JSON.parse(bytes?.toString() ?? '') as UserData;
    return typeof generation === 'number' && typeof owned === 'object'
      ? { generation, owned }
      : NOTHING_OWNED;
  } catch {
    return NOTHING_OWNED;
  }
}

export function assignPartitions(
  claims: readonly Claim[],
  partitions: ReadonlyMap<string, readonly number[]>,
): Map<string, Owned> {
  const numbers = [...new Set([...partitions.values()].flat())].sort((a, b) => a - b);
  const members = [...claims].sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const dealt = deal(members, numbers);
  const assignment = new Map<string, Owned>(members.map(({ memberId }) => [memberId, {}]));
  for (const [topic, ids] of partitions) {
    const subscribers = members.filter(({ topics }) => topics.includes(topic));
    for (const id of ids) {
      const owner = dealt.get(id);
      // While versions with different topics run together, somebody who knows the topic stands in.
      const taker = subscribers.find((m) => m === owner) ?? subscribers[id % subscribers.length];
      if (taker === undefined) continue;
      const owned = assignment.get(taker.memberId)!;
      owned[topic] ??= [];
      owned[topic].push(id);
    }
  }
  return assignment;
}

/** Everybody keeps what he had up to his fair share; what is left goes to those who have least. */
function deal(members: readonly Claim[], numbers: readonly number[]): Map<number, Claim> {
  const held = new Map<Claim, number[]>(members.map((member) => [member, []]));
  const claimed = lastOwners(members);
  for (const number of numbers) {
    const owner = claimed.get(number);
    if (owner !== undefined) held.get(owner)!.push(number);
  }
  const share = Math.floor(numbers.length / members.length);
  let larger = numbers.length % members.length;
  const byHoldings = [...members].sort((a, b) => held.get(b)!.length - held.get(a)!.length);
  for (const member of byHoldings) {
    const kept = held.get(member)!;
    const limit = kept.length > share && larger > 0 ? share + 1 : share;
    if (limit > share) larger--;
    kept.splice(limit);
  }
  const dealt = new Map<number, Claim>();
  for (const [member, kept] of held) for (const number of kept) dealt.set(number, member);
  for (const number of numbers) {
    if (dealt.has(number)) continue;
    const taker = members.reduce((a, b) => (held.get(b)!.length < held.get(a)!.length ? b : a));
    held.get(taker)!.push(number);
    dealt.set(number, taker);
  }
  return dealt;
}

/** Of two who claim the same number the one of the later generation had it last. */
function lastOwners(members: readonly Claim[]): Map<number, Claim> {
  const owners = new Map<number, Claim>();
  for (const member of members) {
    for (const number of new Set(Object.values(member.userData.owned).flat())) {
      const rival = owners.get(number);
      if (rival === undefined || rival.userData.generation < member.userData.generation) {
        owners.set(number, member);
      }
    }
  }
  return owners;
}
