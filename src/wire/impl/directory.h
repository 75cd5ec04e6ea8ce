// A segment's directory as a part of other messages: index parts and the journal hold it too.
#pragma once

#include <wire/sealed.pb.h>

#include "wire/impl/proto.h"
#include "wire/index.h"

namespace mhp::wire::impl {

void to_proto(const SegmentDirectory& directory, proto::SegmentDirectory& out);
Result<SegmentDirectory> from_proto(const proto::SegmentDirectory& message, std::uint64_t plain_bytes);
void to_proto(const IndexedSegment& segment, proto::IndexedSegment& out);
Result<IndexedSegment> from_proto(const proto::IndexedSegment& message);

}  // namespace mhp::wire::impl
