// What the page says: numbers, times, states and verdicts in words.

export function millions(number) {
  return Number((number / 1e6).toPrecision(3));
}

export function duration(seconds) {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} hours`;
  if (seconds >= 120) return `${Math.round(seconds / 60)} minutes`;
  const whole = Math.max(Math.round(seconds), 1);
  return `${whole} second${whole === 1 ? "" : "s"}`;
}

// A message of the server as a sentence; its number stays with its per cent sign.
function sentence(words) {
  return words && (words[0].toUpperCase() + words.slice(1).replace(/\.?$/, ".")).replaceAll(" %", "\u00a0%");
}

// One line for the list of photos.
export function brief(photo) {
  const job = photo.job;
  switch (job.state) {
    case "queued": return "Waiting to be uploaded";
    case "arriving": return "Uploading";
    case "waiting": return job.ahead ? `Waiting for ${job.ahead} other${job.ahead === 1 ? "" : "s"}` : "Waiting";
    case "working": {
      const left = job.seconds_left === null ? "" : `, ${duration(job.seconds_left)} left`;
      return job.share > 0 ? `${Math.floor(100 * job.share)} %${left}` : "Starting";
    }
    case "done": return job.trusted ? (doubtful(job) ? "Doubtful" : "Restored") : "Left as it is";
    case "gone": return "No longer kept";
    default: return "Failed";
  }
}

const doubtful = (job) => job.verdict.startsWith("doubtful");

// The tone, a heading and a sentence for the panel.
export function verdict(photo) {
  const job = photo.job;
  switch (job.state) {
    case "queued":
    case "arriving":
    case "waiting":
      return { tone: "busy", title: "In the queue", words: `${brief(photo)}.` };
    case "working": {
      const left = job.seconds_left === null ? "The time left is not known yet." :
        `About ${duration(job.seconds_left)} left.`;
      return { tone: "busy", title: "Restoring", words: left };
    }
    case "done": return judged(job);
    case "gone":
      return { tone: "bad", title: "No longer kept", words: "The oldest results make room for new ones. Add the photo again to restore it." };
    default:
      return { tone: "bad", title: "This photo could not be restored", words: sentence(job.says.replace(`${photo.name}: `, "")) };
  }
}

function judged(job) {
  const words = sentence(job.verdict.replace(/^doubtful: /, ""));
  if (job.verdict.startsWith("no blur was found")) {
    return { tone: "calm", title: "No blur was found", words };
  }
  if (!job.trusted) {
    return { tone: "warn", title: "Left as it is", words: `${words} The picture shows the whole restoration. Compare before you keep it.` };
  }
  if (doubtful(job)) return { tone: "warn", title: "Probably better", words: `${words} Compare before you keep it.` };
  const title = job.likely === null ? "The blur explains the photo" : "Very likely better";
  return { tone: "good", title, words };
}
