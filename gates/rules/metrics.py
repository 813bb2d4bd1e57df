"""The metrics that SQS and Lambda publish in CloudWatch."""

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
_SQS = """
ApproximateAgeOfOldestMessage ApproximateAgeOfOldestMessageInQuietGroups ApproximateNumberOfGroupsWithInflightMessages
ApproximateNumberOfMessagesDelayed ApproximateNumberOfMessagesDelayedInQuietGroups ApproximateNumberOfMessagesNotVisible
ApproximateNumberOfMessagesNotVisibleInQuietGroups ApproximateNumberOfMessagesVisible
ApproximateNumberOfMessagesVisibleInQuietGroups ApproximateNumberOfNoisyGroups NumberOfDeduplicatedSentMessages
NumberOfEmptyReceives NumberOfMessagesDeleted NumberOfMessagesReceived NumberOfMessagesSent SentMessageSize
"""
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
_LAMBDA = """
AsyncEventAge AsyncEventsDropped AsyncEventsReceived CPUThrottles ClaimedAccountConcurrency CommitErrorCount
CommittedEventCount ConcurrencyThrottles ConcurrentExecutions DeadLetterErrors DeletedEventCount
DestinationDeliveryFailures DiskThrottles DroppedEventCount Duration Errors EventPollerThroughputInBytes EventPollerUnit
FailedInvokeEventCount FilteredOutEventCount Invocations InvokeErrorCount InvokedEventCount IteratorAge MaxOffsetLag
MemoryThrottles OffsetLag OnFailureDestinationDeliveredEventCount OnFailureDestinationDeliveryErrorCount
OversizedRecordCount PolledEventCount PollingErrorCount PostRuntimeExtensionsDuration ProvisionedConcurrencyInvocations
ProvisionedConcurrencySpilloverInvocations ProvisionedConcurrencyUtilization ProvisionedConcurrentExecutions
ProvisionedPollers RecursiveInvocationsDropped SchemaRegistryErrorCount SignatureValidationErrors SumOffsetLag Throttles
UnreservedConcurrentExecutions
"""
SQS = "AWS/SQS"
METRICS = {SQS: frozenset(_SQS.split()), "AWS/Lambda": frozenset(_LAMBDA.split())}
"""The metrics of each namespace."""
DIMENSIONS = frozenset({"QueueName", "FunctionName", "Resource", "ExecutedVersion", "EventSourceMappingUUID"})
"""The dimensions of these metrics."""
ONLY_ATTRIBUTES = frozenset({"ApproximateNumberOfMessages"})
"""Attributes of queues with the name of a metric, which CloudWatch does not have."""
HIGHEST = {
    "ApproximateAgeOfOldestMessage": 14 * 24 * 60 * 60,  # seconds, the longest retention of SQS
    "Duration": 15 * 60 * 1_000,  # milliseconds, the longest timeout of Lambda
    "AsyncEventAge": 6 * 60 * 60 * 1_000,  # milliseconds, the longest age of an event
    "ProvisionedConcurrencyUtilization": 1,
}
"""The values that metrics cannot exceed."""
