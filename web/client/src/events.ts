// Made from docs/live.json by scripts/events.mjs: `npm run events`. Do not edit.

/**
 * An event as a user sees it.
 */
export type TodoEvent =
  | TodoCreated
  | TodoUpdated
  | TodoCompleted
  | TodoDeleted
  | EventRecorded
  | MailSent
  | MailPostponed
  | MailOptedOut
  | MailGivenUp
  | ReminderSet
  | ReminderFired
  | ReminderCancelled;

/**
 * A todo was created.
 */
export interface TodoCreated {
  type: "todo.created";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    actor: string;
    /**
     * As it is after the event.
     */
    todo: {
      id: string;
      title: string;
      description?: string;
      due?: string | null;
      /**
       * @maxItems 20
       */
      reminders?: string[];
      recurrence?: string | null;
      owner: {
        name: string;
      };
    };
  };
}
/**
 * A todo was changed; `changes` has an entry for each field that changed.
 */
export interface TodoUpdated {
  type: "todo.updated";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    actor: string;
    /**
     * As it is after the event.
     */
    todo: {
      id: string;
      title: string;
      description?: string;
      due?: string | null;
      /**
       * @maxItems 20
       */
      reminders?: string[];
      recurrence?: string | null;
      owner: {
        name: string;
      };
    };
    changes: {
      id?: {
        before: unknown;
        after: unknown;
      };
      title?: {
        before: unknown;
        after: unknown;
      };
      description?: {
        before: unknown;
        after: unknown;
      };
      due?: {
        before: unknown;
        after: unknown;
      };
      reminders?: {
        before: unknown;
        after: unknown;
      };
      recurrence?: {
        before: unknown;
        after: unknown;
      };
    };
  };
}
/**
 * A todo was completed.
 */
export interface TodoCompleted {
  type: "todo.completed";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    actor: string;
    /**
     * As it is after the event.
     */
    todo: {
      id: string;
      title: string;
      description?: string;
      due?: string | null;
      /**
       * @maxItems 20
       */
      reminders?: string[];
      recurrence?: string | null;
      owner: {
        name: string;
      };
    };
  };
}
/**
 * A todo was deleted.
 */
export interface TodoDeleted {
  type: "todo.deleted";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    actor: string;
    /**
     * As it is after the event.
     */
    todo: {
      id: string;
      title: string;
      description?: string;
      due?: string | null;
      /**
       * @maxItems 20
       */
      reminders?: string[];
      recurrence?: string | null;
      owner: {
        name: string;
      };
    };
  };
}
/**
 * The event is in the audit trail.
 */
export interface EventRecorded {
  type: "event.recorded";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    event_id: string;
    event_type: string;
  };
}
/**
 * The mail server has taken the mail.
 */
export interface MailSent {
  type: "mail.sent";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    notice_id: string;
    /**
     * The notice's kind, such as todo_created.
     */
    kind: string;
  };
}
/**
 * The mail waits for the end of quiet hours.
 */
export interface MailPostponed {
  type: "mail.postponed";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    notice_id: string;
    /**
     * The notice's kind, such as todo_created.
     */
    kind: string;
    until: string;
  };
}
/**
 * The recipient does not want such mails.
 */
export interface MailOptedOut {
  type: "mail.opted_out";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    notice_id: string;
    /**
     * The notice's kind, such as todo_created.
     */
    kind: string;
  };
}
/**
 * The mail will not be tried again; its job is a dead letter.
 */
export interface MailGivenUp {
  type: "mail.given_up";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    notice_id: string;
    /**
     * The notice's kind, such as todo_created.
     */
    kind: string;
  };
}
/**
 * A reminder will fire at that time.
 */
export interface ReminderSet {
  type: "reminder.set";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    reminder_id: string;
    at: string;
  };
}
/**
 * A reminder has fired; its mail is the notice with that id.
 */
export interface ReminderFired {
  type: "reminder.fired";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    reminder_id: string;
    notice_id: string;
    occurrence: string;
    outcome: "sent" | "late" | "skipped";
  };
}
/**
 * A reminder will not fire any more.
 */
export interface ReminderCancelled {
  type: "reminder.cancelled";
  id: string;
  time: string;
  /**
   * The todo's id, if it is known.
   */
  subject: string | null;
  data: {
    reminder_id: string;
  };
}

/** The types of events. */
export type EventType = TodoEvent["type"];

/** The event of a type. */
export type EventOf<T extends EventType> = Extract<TodoEvent, { type: T }>;
